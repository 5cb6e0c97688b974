// Connections to Redis through the `redis` package: to one server, to the master that sentinels name, or to a cluster. The package
// pipelines and reads replies; that it reconnects and sends again by itself is switched off, since what became of a write that has no
// answer is for the store to find out.
import { createClient, createCluster, ErrorReply } from "redis";
import { messageOf } from "../../errors.ts";
import { type Answer, type Dial, type RedisConnection, RedisRefusal, type Reply } from "./connection.ts";

/** For the way there, and once more for the greeting. */
const CONNECT_MS = 2_000;

const SOCKET = { connectTimeout: CONNECT_MS, reconnectStrategy: false } as const;
const COMMON = {
  disableOfflineQueue: true,
  disableClientInfo: true,
  maintNotifications: "disabled",
} as const;

/** One server: `redis[s]://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`. */
export function dialServer(url: string): Dial {
  return () => connect(url);
}

/**
 * The master of that name, asked for anew for each connection. What the URLs say of users, databases and TLS holds for the master,
 * and for the sentinels as far as they ask for it.
 */
export function dialSentinel({ master, nodes }: { master: string; nodes: readonly string[] }): Dial {
  return async () => {
    const problems: string[] = [];
    for (const node of nodes) {
      try {
        return await connect(await masterUrl(node, master));
      } catch (error) {
        if (error instanceof RedisRefusal) throw error;
        problems.push(`${new URL(node).host}: ${messageOf(error)}`);
      }
    }
    throw new Error(`no sentinel leads to the master '${master}' (${problems.join("; ")})`);
  };
}

/** The nodes of a cluster: one that answers leads to the others, and has the same users. */
export function dialCluster(nodes: readonly string[]): Dial {
  return async () => {
    const { username, password, protocol } = new URL(nodes[0] ?? "");
    const lost = Promise.withResolvers<string>();
    const cluster = createCluster({
      rootNodes: nodes.map((url) => ({ url })),
      defaults: {
        ...COMMON,
        ...(username !== "" && { username: decodeURIComponent(username) }),
        ...(password !== "" && { password: decodeURIComponent(password) }),
        socket: protocol === "rediss:" ? { ...SOCKET, tls: true } : SOCKET,
      },
    });
    cluster.on("error", () => {});
    await connected(cluster);
    for (const event of ["node-error", "node-disconnect"])
      cluster.on(event, (error: unknown) =>
        lost.resolve(error instanceof Error ? error.message : "a node is gone"),
      );
    // What one node is told reaches the subscribers of all.
    const ear = earOf(nodes[0] ?? "", lost.resolve);
    const everywhere = (words: readonly string[]): Promise<Answer[]> =>
      Promise.all(
        cluster.masters.map(async (node) =>
          answerOf((await cluster.nodeClient(node)).sendCommand<Reply>(words)),
        ),
      );
    return {
      send: (words, { key } = {}) => answerOf(cluster.sendCommand<Reply>(key, false, words as string[])),
      everywhere,
      ping: async () => void (await Promise.all([everywhere(["PING"]), ear.ping()])),
      subscribe: ear.subscribe,
      unsubscribe: ear.unsubscribe,
      lost: lost.promise,
      destroy() {
        lost.resolve("it is closed");
        forget(cluster);
        ear.destroy();
      },
    };
  };
}

type Client = ReturnType<typeof clientOf>;

function clientOf(url: string, { RESP }: { RESP: 2 | 3 }) {
  return createClient({ ...COMMON, url, socket: SOCKET, RESP });
}

async function connect(url: string): Promise<RedisConnection> {
  const lost = Promise.withResolvers<string>();
  const client = await opened(clientOf(url, { RESP: 2 }), lost.resolve);
  const ear = earOf(url, lost.resolve);
  const send = (words: readonly string[]): Promise<Answer> => answerOf(client.sendCommand<Reply>(words));
  return {
    send,
    everywhere: async (words) => [await send(words)],
    ping: async () => void (await Promise.all([send(["PING"]), ear.ping()])),
    subscribe: ear.subscribe,
    unsubscribe: ear.unsubscribe,
    lost: lost.promise,
    destroy() {
      lost.resolve("it is closed");
      forget(client);
      ear.destroy();
    },
  };
}

async function opened(client: Client, onLost: (reason: string) => void): Promise<Client> {
  client.on("error", (error: unknown) => onLost(messageOf(error)));
  client.on("end", () => onLost("the connection has ended"));
  await connected(client);
  return client;
}

/** One that does not answer would be waited for without end. */
async function connected(client: { connect(): Promise<unknown>; destroy(): void }): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer in ${2 * CONNECT_MS} ms`)), 2 * CONNECT_MS);
  try {
    await Promise.race([client.connect(), late.promise]);
  } catch (error) {
    forget(client);
    throw refusalOf(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Listens on a connection of its own, from the first channel on. */
function earOf(url: string, onLost: (reason: string) => void) {
  let listening: Promise<Client> | undefined;
  const client = (): Promise<Client> => (listening ??= opened(clientOf(url, { RESP: 3 }), onLost));
  const hearing = new Map<string, (message: string) => void>();
  return {
    async subscribe(channel: string, hear: (message: string) => void): Promise<void> {
      hearing.set(channel, hear);
      await (await client()).subscribe(channel, hear);
    },
    /** Who is named: otherwise whoever comes before Redis has answered is taken for one that it has, and goes with it unheard. */
    async unsubscribe(channel: string): Promise<void> {
      const hear = hearing.get(channel);
      hearing.delete(channel);
      await (await client()).unsubscribe(channel, hear);
    },
    async ping(): Promise<void> {
      await (await listening)?.ping();
    },
    destroy(): void {
      void listening?.then(forget, () => {});
    },
  };
}

function forget(client: { destroy(): void }): void {
  try {
    client.destroy();
  } catch {
    // It was closed already.
  }
}

async function masterUrl(node: string, master: string): Promise<string> {
  const open = new URL(node);
  open.pathname = "";
  const anonymous = new URL(open);
  anonymous.username = anonymous.password = "";
  const client = await opened(clientOf(open.href, { RESP: 2 }), () => {}).catch((error: unknown) => {
    if (error instanceof RedisRefusal) return opened(clientOf(anonymous.href, { RESP: 2 }), () => {});
    throw error;
  });
  try {
    const place = await client.sendCommand<Reply>(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", master]);
    if (!Array.isArray(place)) throw new RedisRefusal(`it knows no master '${master}'`);
    const [host, port] = place.map(String);
    const url = new URL(node);
    url.host = `${host?.includes(":") ? `[${host}]` : host}:${port}`;
    return url.href;
  } finally {
    forget(client);
  }
}

/** Redis answered, and will not have us: another try is no use. */
function refusalOf(error: unknown): Error {
  const message = messageOf(error);
  const isRefusal = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR Client sent AUTH|ERR DB index)/.test(message);
  return isRefusal ? new RedisRefusal(message) : error instanceof Error ? error : new Error(message);
}

/** What has not gone out, by the names of the package's errors. */
const UNSENT: ReadonlySet<string> = new Set(["ClientOfflineError", "ClientClosedError"]);

function answerOf(command: Promise<Reply>): Promise<Answer> {
  return command.then(
    (reply): Answer => ({ type: "reply", reply }),
    (error: unknown): Answer => {
      const message = messageOf(error);
      if (error instanceof ErrorReply) return { type: "refused", message };
      return { type: UNSENT.has((error as Error).constructor.name) ? "unsent" : "unknown", message };
    },
  );
}
