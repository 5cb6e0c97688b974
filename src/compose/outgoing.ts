// What is still on its way out of the process: output that services have left in their pipes, and bytes that wait to be written.
// It knows when all of it is gone, and waits for that within a given time only.
import type { LedgerStatus } from "../ports/control.ts";
import type { Output } from "../ports/log.ts";

export interface FlushOptions {
  withinMs: number;
  /** Nobody is in a hurry: the time begins anew with each byte that gets out. Default: false. */
  patient?: boolean;
  /** When it aborts, 50 ms are left. */
  hurry?: AbortSignal;
}

export interface OutgoingOptions {
  queues: readonly { readonly waiting: number; flush(): Promise<void> }[];
  /** Told what was left behind. */
  complain: (message: string) => Promise<void>;
}

/** What a flush has at least, however late it is. */
const FLUSH_MS_MIN = 50;
/** A stream that has brought nothing for so long is held open by somebody who does not write. */
const QUIET_MS = 50;
const LOOK_MS = 10;

/** What is left of the budget; next to nothing for an end that was forced. */
export function flushMs({ forced }: { forced: boolean }, ledger: LedgerStatus | undefined): number {
  return forced || ledger === undefined ? 0 : ledger.budgetMs - ledger.elapsedMs;
}

/** The output, watched on its way. */
export function outgoing(
  output: Output,
  { queues, complain }: OutgoingOptions,
): { output: Output; flush: (options: FlushOptions) => Promise<boolean> } {
  let openStreams = 0;
  let broughtMs = -Infinity;
  const waiting = (): number => queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const isDone = (): boolean =>
    waiting() === 0 && (openStreams === 0 || performance.now() - broughtMs >= QUIET_MS);

  const watched: Output = {
    ...output,
    open(service, stream, options) {
      const sink = output.open(service, stream, options);
      openStreams++;
      return {
        write(lines) {
          broughtMs = performance.now();
          sink.write(lines);
        },
        end() {
          openStreams--;
          sink.end();
        },
      };
    },
  };

  const flush = async ({ withinMs, patient = false, hurry }: FlushOptions): Promise<boolean> => {
    let deadlineMs = performance.now() + Math.max(withinMs, FLUSH_MS_MIN);
    const hurryUp = (): void => void (deadlineMs = Math.min(deadlineMs, performance.now() + FLUSH_MS_MIN));
    if (hurry?.aborted) hurryUp();
    hurry?.addEventListener("abort", hurryUp);
    broughtMs = performance.now();
    for (let before = waiting(); !isDone() && performance.now() < deadlineMs;) {
      await within(LOOK_MS, Promise.all(queues.map((queue) => queue.flush())));
      if (patient && hurry?.aborted !== true && waiting() !== before)
        deadlineMs = performance.now() + withinMs;
      before = waiting();
    }
    const left = waiting();
    if (left > 0)
      await within(FLUSH_MS_MIN, complain(`${left} bytes of output were lost: nobody read them in time`));
    return left === 0;
  };
  return { output: watched, flush };
}

async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, limitMs)))]);
  clearTimeout(timer);
}
