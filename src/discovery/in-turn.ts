// One at a time, and as few as will do: what asks the store over and over, and would otherwise overtake itself.

/**
 * Calls of the function that is returned are answered by a run that begins after them, together with all others that wait for it.
 * Runs never overlap; one that fails fails those it was for, and no other.
 */
export function inTurn(run: () => Promise<void>): () => Promise<void> {
  let latest: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  return () => {
    if (waiting) return waiting;
    const begin = (): Promise<void> => {
      waiting = undefined;
      return run();
    };
    waiting = latest.then(begin, begin);
    latest = waiting;
    return waiting;
  };
}
