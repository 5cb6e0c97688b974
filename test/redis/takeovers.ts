// How long executions stood still because a replica was killed, by the time of Redis alone. At each kill it notes which executions were
// open and under which token; later the log says when each of them moved next. Who owned what is not known, and need not be: what
// another replica owns moves on anyhow.
import { tenantBase } from "../../src/drivers/redis/layout.ts";
import type { RedisServer } from "./server.ts";

interface Mark {
  atMs: number;
  token: string;
}

const TOKEN_LENGTH = 32;

export class Takeovers {
  readonly #server: RedisServer;
  readonly #open: string;
  readonly #marks = new Map<string, Mark[]>();

  constructor(
    server: RedisServer,
    { namespace, tenant = "default" }: { namespace: string; tenant?: string },
  ) {
    this.#server = server;
    this.#open = `${tenantBase(namespace, tenant)}open`;
  }

  /** To be called when a replica is dead. */
  async note(): Promise<void> {
    const script = 'return { redis.call("TIME"), redis.call("HGETALL", KEYS[1]) }';
    const answer = await this.#server.command("EVAL", script, "1", this.#open);
    const [[seconds, micros], open] = answer as [[string, string], string[]];
    const atMs = Number(seconds) * 1_000 + Number(micros) / 1_000;
    for (let index = 0; index < open.length; index += 2) {
      const execution = decodeURIComponent(open[index] ?? "");
      const marks = this.#marks.get(execution) ?? [];
      this.#marks.set(execution, marks);
      marks.push({ atMs, token: (open[index + 1] ?? "").slice(0, TOKEN_LENGTH) });
    }
  }

  /** The longest, and whose. `log` is all of it, in order. */
  longest(log: readonly { execution?: string; time: string }[]): { ms: number; execution: string } {
    const moves = Map.groupBy(log, ({ execution = "" }) => execution);
    let longest = { ms: 0, execution: "" };
    for (const [execution, marks] of this.#marks) {
      const times = (moves.get(execution) ?? []).map(({ time }) => Date.parse(time));
      const ms = longestOf(marks, times);
      if (ms > longest.ms) longest = { ms, execution };
    }
    return longest;
  }
}

/**
 * From the kill to the next move. Another kill before that starts it anew only if it had another owner by then, which may have been
 * the one that was killed; that it was still the old one's at the kill before counts.
 */
function longestOf(marks: readonly Mark[], moves: readonly number[]): number {
  const events = [
    ...marks.map(({ atMs, token }) => ({ atMs, token })),
    ...moves.map((atMs) => ({ atMs, token: undefined })),
  ].toSorted((a, b) => a.atMs - b.atMs);
  let longest = 0;
  let still: { fromMs: number; seenMs: number; token: string } | undefined;
  for (const { atMs, token } of events) {
    if (token === undefined) {
      if (still) longest = Math.max(longest, atMs - still.fromMs);
      still = undefined;
    } else if (still?.token === token) still.seenMs = atMs;
    else {
      if (still) longest = Math.max(longest, still.seenMs - still.fromMs);
      still = { fromMs: atMs, seenMs: atMs, token };
    }
  }
  return longest;
}
