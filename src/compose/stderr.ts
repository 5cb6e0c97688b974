// Standard error of this process: usage, fatal errors and last words, in their order. Whoever reads it may have stopped reading, and
// the event loop never waits for that. Records of a run are not for here.
import { openStdout, type Stdout } from "../drivers/stdout.ts";

let opened: Stdout | undefined;
let said = Promise.resolve();

const stderr = (): Stdout => (opened ??= openStdout({ fd: 2, onGone() {} }));

/** Resolves when it has left the process, or nobody is there to read it, which may be never. Never rejects. */
export function tell(text: string): Promise<void> {
  return (said = said.then(() => stderr().write(Buffer.from(text))));
}

/** For a process that ends now: as much of it as there is room for. */
export function tellNow(text: string): void {
  stderr().writeNow(Buffer.from(text));
}
