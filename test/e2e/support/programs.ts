// The three JavaScript runtimes, as the words that run a file of this repository from its source.
import { join } from "node:path";
import process from "node:process";
import { root } from "./binary.ts";

export const JAVASCRIPT_RUNTIMES = {
  bun: [process.execPath],
  // The executable itself: npm's command is a wrapper that keeps signals to itself.
  deno: [join(root, "node_modules/deno/deno"), "run", "--allow-all"],
  node: [join(root, "node_modules/.bin/node")],
} as const;
