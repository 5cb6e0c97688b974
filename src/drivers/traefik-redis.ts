// The keys in Redis that Traefik watches, through the `redis` package. Who has written which stands in a hash beside them, which is
// watched, so that of two who change something at once one sees what the other has done. Connects when it is asked, and anew after
// the connection was lost; it tries nothing again by itself.
import { createClient, WatchError } from "redis";
import type { KeyBook, KeyChange, Publication } from "../core/traefik-keys.ts";
import { messageOf } from "../errors.ts";
import type { RouteKeys } from "../ports/routing.ts";

export interface TraefikRedisOptions {
  /** `redis[s]://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`. */
  url: string;
  /** What Traefik's keys begin with. */
  rootKey: string;
  /** What the key of the hash begins with, which Traefik does not see. */
  namespace: string;
}

const CONNECT_MS = 2_000;
/** Without a byte for so long a connection is lost. */
const SILENCE_MS = 10_000;
/** Others are faster once or twice, not for ever. */
const TRIES_MAX = 20;

type Client = ReturnType<typeof clientOf>;

export function traefikRedis({ url, rootKey, namespace }: TraefikRedisOptions): RouteKeys {
  const bookKey = `${namespace}:traefik:${rootKey}`;
  let connected: Client | undefined;

  async function client(): Promise<Client> {
    if (connected?.isReady) return connected;
    if (connected) forget(connected);
    connected = clientOf(url);
    // What it says here a command says, too.
    connected.on("error", () => {});
    await connected.connect();
    return connected;
  }

  /** False when somebody else was faster. */
  async function attempt(
    redis: Client,
    change: (book: KeyBook, nowMs: number) => KeyChange,
  ): Promise<boolean> {
    await redis.watch(bookKey);
    const [noted, time] = await Promise.all([redis.hGetAll(bookKey), redis.sendCommand<string[]>(["TIME"])]);
    const { remove, write, note } = change(bookOf(noted), timeMsOf(time));
    const multi = redis.multi();
    for (const key of remove) multi.del(`${rootKey}/${key}`);
    for (const [key, value] of write) multi.set(`${rootKey}/${key}`, value);
    for (const [publisher, publication] of note) {
      if (publication) multi.hSet(bookKey, publisher, JSON.stringify(publication));
      else multi.hDel(bookKey, publisher);
    }
    try {
      await multi.exec();
      return true;
    } catch (error) {
      if (error instanceof WatchError) return false;
      throw error;
    }
  }

  return {
    async exchange(change) {
      try {
        const redis = await client();
        for (let tries = 0; tries < TRIES_MAX; tries++) if (await attempt(redis, change)) return;
      } catch (error) {
        throw new Error(`cannot publish routes to Redis at ${new URL(url).host}: ${messageOf(error)}`, {
          cause: error,
        });
      }
      throw new Error(
        `cannot publish routes to Redis: others have changed them ${TRIES_MAX} times meanwhile`,
      );
    },
    async close() {
      if (connected) forget(connected);
    },
  };
}

function clientOf(url: string) {
  return createClient({
    url,
    disableOfflineQueue: true,
    disableClientInfo: true,
    socket: { connectTimeout: CONNECT_MS, socketTimeout: SILENCE_MS, reconnectStrategy: false },
  });
}

function forget(client: Client): void {
  try {
    client.destroy();
  } catch {
    // It was closed already.
  }
}

function timeMsOf([seconds = "0", micros = "0"]: readonly string[]): number {
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

/** What cannot be understood is nobody's. */
function bookOf(noted: Readonly<Record<string, string>>): KeyBook {
  return new Map(
    Object.entries(noted).flatMap(([publisher, text]) => {
      const publication = publicationOf(text);
      return publication ? [[publisher, publication] as const] : [];
    }),
  );
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
