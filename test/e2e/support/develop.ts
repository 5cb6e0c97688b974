// `haraka dev` under test: started in a folder of its own, with a module that says what it was made of.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../src/drivers/clock.ts";
import { Watcher } from "../../../src/drivers/watcher.ts";
import { type Runtime, type RunOptions, start } from "./runtime.ts";

export const DEV = ["dev", "--json"];

/** `haraka dev` in a folder with these files. */
export function develop(files: RunOptions["files"], options: RunOptions = {}): Runtime {
  return start({ args: DEV, ...options, files: files ?? {} });
}

/** A module that says `word` of another file when it starts, and `bye` when it stops. */
export const SPEAKER = `
import { Service } from "haraka-runtime";
import { word } from "./words/word.ts";
export default class extends Service {
  startup() { this.runtime.log.info("says " + word); }
  shutdown() { this.runtime.log.info("bye"); }
}`;

export const word = (text: string): string => `export const word = ${JSON.stringify(text)};\n`;

/** What was said about the files, in order. */
export const changes = (runtime: Runtime): unknown[] =>
  runtime.messages("haraka").filter((message) => /chang/.test(String(message)));

/** Resolves when somebody else who watches the folder has been told of what was done so far, and of something after it. */
export async function quiet(folder: string): Promise<void> {
  let told = () => {};
  const watcher = new Watcher({ clock: systemClock(), onTouched: () => told(), onProblem: assert.fail });
  watcher.use({ files: [join(folder, "later")], trees: [] });
  for (const round of ["1", "2"]) {
    await new Promise<void>((resolve) => {
      told = resolve;
      writeFileSync(join(folder, "later"), round);
    });
  }
  watcher.close();
}
