#!/usr/bin/env node
// argv → cli → exit code; what gets compiled.
import { writeSync } from "node:fs";
import process from "node:process";
import { main } from "./cli/cli.ts";

// Written synchronously: the process ends right after.
const exitCode = await main(process.argv.slice(2), {
  stdout: (text) => print(1, text),
  stderr: (text) => print(2, text),
  env: process.env,
  cwd: process.cwd(),
  main: import.meta.filename,
});
process.exit(exitCode);

/** All of it, also into a pipe that is slow; a reader that has gone is no reason to fail, and makes it false. */
function print(fd: number, text: string): boolean {
  let left = Buffer.from(text);
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(fd, left));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) return false;
    }
  }
  return true;
}
