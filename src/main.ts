#!/usr/bin/env node
// argv → cli → exit code; what gets compiled.
// First of all: what is imported next takes longer.
import "./compose/first-signals.ts";
import { writeSync } from "node:fs";
import process from "node:process";
import { main } from "./cli/cli.ts";

/** How long a full pipe may keep the last words, and with them the end, waiting. */
const LAST_WORDS_MS = 1000;
let said = Promise.resolve();

const exitCode = await main(process.argv.slice(2), {
  stdout: (text) => print(1, text),
  stderr: (text) => void (said = said.then(() => say(text))),
  env: process.env,
  cwd: process.cwd(),
  main: import.meta.filename,
});
await Promise.race([said, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
process.exit(exitCode);

/** Most have nothing to say there, and do not read how. */
async function say(text: string): Promise<void> {
  const { tell } = await import("./compose/stderr.ts");
  return tell(text);
}

/** All of it, also into a pipe that is slow; a reader that has gone is no reason to fail, and makes it false. */
function print(fd: number, text: string): boolean {
  let left = Buffer.from(text);
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(fd, left));
    } catch (error) {
      if (!isAgain(error)) return false;
    }
  }
  return true;
}

function isAgain(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EAGAIN";
}
