// The keys in Redis that Traefik watches. Who has written which stands in a hash beside them, which is watched, so that of two who
// change something at once one sees what the other has done. Connects when it is asked, and anew after anything went wrong; it tries
// nothing again by itself.
import type { KeyBook, KeyChange, Publication } from "../../core/traefik-keys.ts";
import { messageOf } from "../../errors.ts";
import type { RouteKeys } from "../../ports/routing.ts";
import type { Answer, Dial, RedisConnection, Reply } from "./connection.ts";

export interface TraefikRedisOptions {
  /** Leads to one server. */
  dial: Dial;
  /** What that is called, without passwords. */
  name: string;
  /** What Traefik's keys begin with. */
  rootKey: string;
  /** What the key of the hash begins with, which Traefik does not see. */
  namespace: string;
}

/** A server that has not answered for so long is not waited for. */
const SILENCE_MS = 10_000;
/** Others are faster once or twice, not for ever. */
const TRIES_MAX = 20;

export function traefikRedis({ dial, name, rootKey, namespace }: TraefikRedisOptions): RouteKeys {
  const bookKey = `${namespace}:traefik:${rootKey}`;
  let connected: RedisConnection | undefined;

  /** False when somebody else was faster. */
  async function attempt(
    { send }: RedisConnection,
    change: (book: KeyBook, nowMs: number) => KeyChange,
  ): Promise<boolean> {
    const [, noted, time] = await Promise.all(
      [["WATCH", bookKey], ["HGETALL", bookKey], ["TIME"]].map(async (words) => replyOf(await send(words))),
    );
    const { remove, write, note } = change(bookOf(noted), timeMsOf(time));
    const commands = [
      ...remove.map((key) => ["DEL", `${rootKey}/${key}`]),
      ...write.map(([key, value]) => ["SET", `${rootKey}/${key}`, value]),
      ...[...note].map(([publisher, publication]) =>
        publication
          ? ["HSET", bookKey, publisher, JSON.stringify(publication)]
          : ["HDEL", bookKey, publisher],
      ),
    ];
    // The refusal of one says why the end of all is refused.
    const answers = await Promise.all([["MULTI"], ...commands, ["EXEC"]].map((words) => send(words)));
    return answers.map(replyOf).at(-1) !== null;
  }

  async function connection(): Promise<RedisConnection> {
    if (connected) return connected;
    const made = await dial();
    void made.lost.then(() => {
      if (connected === made) connected = undefined;
    });
    return (connected = made);
  }

  async function attempts(change: (book: KeyBook, nowMs: number) => KeyChange): Promise<boolean> {
    const redis = await connection();
    const silence = setTimeout(() => redis.destroy(), SILENCE_MS);
    try {
      for (let tries = 0; tries < TRIES_MAX; tries++) if (await attempt(redis, change)) return true;
      return false;
    } finally {
      clearTimeout(silence);
    }
  }

  function forget(): void {
    connected?.destroy();
    connected = undefined;
  }

  return {
    async exchange(change) {
      const cannot = `cannot publish routes to ${name}`;
      const isDone = await attempts(change).catch((error: unknown) => {
        // Perhaps it is a replica now: the next connection leads to where the master is by then.
        forget();
        throw new Error(`${cannot}: ${messageOf(error)}`, { cause: error });
      });
      if (!isDone) throw new Error(`${cannot}: others have changed them ${TRIES_MAX} times meanwhile`);
    },
    async close() {
      forget();
    },
  };
}

function replyOf(answer: Answer): Reply {
  if (answer.type === "reply") return answer.reply;
  throw new Error(answer.message);
}

function timeMsOf(time: Reply | undefined): number {
  const [seconds, micros] = textsOf(time);
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

function textsOf(reply: Reply | undefined): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}

/** What cannot be understood is nobody's. */
function bookOf(noted: Reply | undefined): KeyBook {
  const texts = textsOf(noted);
  const book = new Map<string, Publication>();
  for (let at = 0; at < texts.length; at += 2) {
    const publication = publicationOf(texts[at + 1] ?? "");
    if (publication) book.set(texts[at] ?? "", publication);
  }
  return book;
}

function publicationOf(text: string): Publication | undefined {
  try {
    const { sinceMs, untilMs, index, keys } = JSON.parse(text) as Record<string, unknown>;
    if (typeof sinceMs !== "number" || typeof untilMs !== "number" || typeof index !== "number")
      return undefined;
    if (!Array.isArray(keys) || !keys.every((key): key is string => typeof key === "string"))
      return undefined;
    return { sinceMs, untilMs, index, keys };
  } catch {
    return undefined;
  }
}
