// A log that keeps nothing, for tests that look at answers.
import type { Log } from "../../src/ports/log.ts";

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
