// Errors that nobody caught, in the runtime or in a module service: told to one place instead of ending the process at once,
// so that what was started can be stopped.
import process from "node:process";

/** Calls `handle` with every uncaught exception and unhandled rejection, from now on. */
export function onUncaught(handle: (error: unknown) => void): void {
  process.on("uncaughtException", handle);
  process.on("unhandledRejection", handle);
}
