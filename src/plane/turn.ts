// Lets timers and sockets have their turn in the middle of long work. It measures no time and waits for nothing else.

/** Resolves after them where the platform can say that, otherwise soon. */
export const nextTurn: () => Promise<void> =
  typeof setImmediate === "function"
    ? () => new Promise((resolve) => void setImmediate(resolve))
    : () => new Promise((resolve) => void setTimeout(resolve, 0));
