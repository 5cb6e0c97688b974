// What runs of a config through all its reloads: the services, and what is in the files they are made of. It reads again when it
// is asked to; putting the difference into force is the operator's business.
import type { NextServices } from "../runtime/operator.ts";
import { adoptEnvironment } from "./environment.ts";
import type { Difference, Reading } from "./next-services.ts";
import type { ReadConfig } from "./read-config.ts";
import type { RunningServices, ServicesContext } from "./services.ts";

export interface PresentOptions {
  context: ServicesContext;
  /** Throws what `readConfig` throws. */
  readAgain: () => Pick<ReadConfig, "config" | "env">;
  /** When the first modules began to be loaded, in milliseconds since the Unix epoch. */
  loadedMs: number;
  /** Where it is a developer's: what is learnt is learnt before anything is loaded, and what cannot be loaded stays as it is. */
  dev?: { widen(difference: Difference): Difference } | undefined;
}

/** By how much a file's time may be behind the clock. */
const FILE_TIME_MS = 20;

export class Present {
  readonly #options: PresentOptions;
  #reading: Reading;

  constructor(running: RunningServices, options: PresentOptions) {
    this.#options = options;
    this.#reading = { running, contents: new Map() };
  }

  get reading(): Reading {
    return this.#reading;
  }

  /** Looks at what services are made of, so that it is known later what has changed. */
  async learn(): Promise<void> {
    const { context, loadedMs, dev } = this.#options;
    const { learn } = await import("./next-services.ts");
    // What was written after a module began to be loaded is perhaps not what was loaded.
    const options = { unsureSinceMs: dev ? Infinity : loadedMs - FILE_TIME_MS };
    for (;;) {
      const known = this.#reading;
      const learned = await learn(known, context.files, options);
      // Another may be in force by now.
      if (known !== this.#reading) continue;
      this.#reading = learned;
      return;
    }
  }

  /** As `OperatorOptions.read` has it. */
  async read(): Promise<NextServices & { applied: () => void }> {
    const { context, readAgain, dev } = this.#options;
    const { nextServices } = await import("./next-services.ts");
    if (this.#reading.contents.size === 0) await this.learn();
    const next = readAgain();
    const { env } = this.#reading.running;
    adoptEnvironment(next.env, env);
    try {
      const found = await nextServices(this.#reading, next, { context, lenient: dev !== undefined });
      return { ...(dev?.widen(found) ?? found), applied: () => void (this.#reading = found.next) };
    } catch (error) {
      adoptEnvironment(env, next.env);
      throw error;
    }
  }
}
