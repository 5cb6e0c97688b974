// The link to Redis as long as the process lives: one connection after the other, each made with growing patience and looked at before
// it counts, and scripts that are sent by their hash and in full where Redis has forgotten them. It never sends anything twice that
// may have been done.
//
//   connecting ──▶ up ──lost──▶ down ──▶ connecting …            close: closed
//       └─ refused, before it has ever been up: lost for good
import { messageOf, StoreError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import {
  type Answer,
  type Dial,
  type RedisConnection,
  RedisRefusal,
  type Reply,
  type SendOptions,
} from "./connection.ts";
import type { RedisScript } from "./script.ts";

/** Redis, as long as this process lives. */
export interface RedisLink {
  /** For messages, without passwords: `redis://127.0.0.1:6379/0`. */
  readonly name: string;
  /** Keys may lie on several servers. */
  readonly isSharded: boolean;
  /** Counts connections: whatever was sent under a lower number was sent before. */
  readonly generation: number;
  /** Why it cannot be reached just now, or at all. */
  readonly problem: StoreError | undefined;
  /** Runs a script on the keys that begin with those of `key`. */
  run(script: RedisScript, key: string, args: readonly string[]): Promise<Answer>;
  send(words: readonly string[], options?: SendOptions): Promise<Answer>;
  /** Told each time it comes (`undefined`) and goes. */
  onChange(listener: (problem: StoreError | undefined) => void): void;
  /** The listener is called with each message, and with nothing whenever it may have missed some. Returns a function that ends it. */
  listen(channel: string, listener: (message: string | undefined) => void): () => void;
  /** Everything that follows is unsent. */
  close(): void;
}

const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 2_000;
/** So often it is asked whether it is there, and so long it may take to say so. */
const PING_MS = 1_000;
const SILENCE_MS = 2_500;

export interface RedisLinkOptions {
  name: string;
  isSharded: boolean;
  dial: Dial;
  clock: Clock;
  /** What to do about a Redis that may lose what it has acknowledged. */
  checks: "refuse" | "warn";
  /** Looks at every connection before it counts; rejects with `RedisRefusal` for one that is not to be used. */
  look: (connection: RedisConnection) => Promise<void>;
  /** What is not as it should be, and is taken all the same. */
  onWarning: (message: string) => void;
  /** Goes on trying; called when it is refused for good. Absent: the first failure is the last. */
  onRefused?: ((error: StoreError) => void) | undefined;
}

/** Resolves once it is up, or with one that is still trying. Rejects with `StoreError` when it is refused, or may not go on trying. */
export async function openRedisLink(options: RedisLinkOptions): Promise<RedisLink> {
  const link = new Link(options);
  await link.open();
  return link;
}

/** With these Redis did nothing, and another connection may lead to one that does. */
const ELSEWHERE = /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|UNBLOCKED|NOAUTH)/;

class Link implements RedisLink {
  readonly name: string;
  readonly isSharded: boolean;
  generation = 0;
  problem: StoreError | undefined;
  readonly #options: RedisLinkOptions;
  readonly #listeners: ((problem: StoreError | undefined) => void)[] = [];
  readonly #channels = new Map<string, (message: string | undefined) => void>();
  #connection: RedisConnection | undefined;
  #backoffMs = BACKOFF_MIN_MS;
  #cancelRetry = (): void => {};
  #cancelBeat = (): void => {};
  #isClosed = false;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
    this.name = options.name;
    this.isSharded = options.isSharded;
    this.problem = this.#unreachable("it has not answered yet");
  }

  async open(): Promise<void> {
    const { onRefused } = this.#options;
    try {
      await this.#connect();
    } catch (error) {
      if (error instanceof RedisRefusal || !onRefused) throw this.#fail(error);
      this.#retryLater(error);
    }
  }

  async run(script: RedisScript, key: string, args: readonly string[]): Promise<Answer> {
    const connection = this.#connection;
    if (!connection) return this.#unsent();
    const answer = await connection.send(["EVALSHA", script.sha, "1", key].concat(args), { key });
    if (answer.type !== "refused") return answer;
    // Nothing of it was run.
    if (answer.message.startsWith("NOSCRIPT"))
      return this.#heed(await connection.send(["EVAL", script.text, "1", key, ...args], { key }), connection);
    return this.#heed(answer, connection);
  }

  async send(words: readonly string[], options?: SendOptions): Promise<Answer> {
    const connection = this.#connection;
    return connection ? this.#heed(await connection.send(words, options), connection) : this.#unsent();
  }

  onChange(listener: (problem: StoreError | undefined) => void): void {
    this.#listeners.push(listener);
  }

  listen(channel: string, listener: (message: string | undefined) => void): () => void {
    this.#channels.set(channel, listener);
    if (this.#connection) this.#subscribe(this.#connection, channel);
    return () => {
      if (this.#channels.get(channel) !== listener) return;
      this.#channels.delete(channel);
      this.#connection?.unsubscribe(channel).catch(() => {});
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelRetry();
    this.#cancelBeat();
    this.#channels.clear();
    const connection = this.#connection;
    this.#connection = undefined;
    this.#change(new StoreError(`cannot use ${this.name}: it is closed`));
    connection?.destroy();
  }

  #unsent(): Answer {
    return { type: "unsent", message: this.problem?.message ?? "" };
  }

  #heed(answer: Answer, connection: RedisConnection): Answer {
    if (answer.type === "refused" && ELSEWHERE.test(answer.message)) this.#lose(connection, answer.message);
    return answer;
  }

  /** Rejects when there is none to be had, or it is not as it should be. */
  async #connect(): Promise<void> {
    const connection = await this.#options.dial();
    const cancel = this.#options.clock.after(SILENCE_MS, () => connection.destroy());
    try {
      if (!this.#isClosed) await this.#look(connection);
    } catch (error) {
      connection.destroy();
      throw error;
    } finally {
      cancel();
    }
    if (this.#isClosed) return connection.destroy();
    this.#connection = connection;
    this.generation++;
    this.#backoffMs = BACKOFF_MIN_MS;
    void connection.lost.then((reason) => this.#lose(connection, reason));
    for (const channel of this.#channels.keys()) this.#subscribe(connection, channel);
    this.#beat(connection);
    this.#change(undefined);
  }

  /** A network that has fallen silent says nothing of it. */
  #beat(connection: RedisConnection): void {
    const { clock } = this.#options;
    const silent = (): void => this.#lose(connection, `it has not answered for ${SILENCE_MS} ms`);
    this.#cancelBeat = clock.after(PING_MS, () => {
      this.#cancelBeat = clock.after(SILENCE_MS, silent);
      connection.ping().then(
        () => {
          if (this.#connection !== connection) return;
          this.#cancelBeat();
          this.#beat(connection);
        },
        (error: unknown) => this.#lose(connection, messageOf(error)),
      );
    });
  }

  #lose(connection: RedisConnection, reason: string): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#cancelBeat();
    connection.destroy();
    this.#change(this.#unreachable(reason));
    this.#retryLater(reason);
  }

  #retryLater(reason: unknown): void {
    if (this.#isClosed) return;
    this.problem = this.#unreachable(messageOf(reason));
    const delayMs = this.#backoffMs * (0.5 + Math.random() / 2);
    this.#backoffMs = Math.min(BACKOFF_MAX_MS, this.#backoffMs * 2);
    this.#cancelRetry = this.#options.clock.after(delayMs, () => {
      this.#connect().catch((error: unknown) => {
        const isForGood = error instanceof RedisRefusal && this.generation === 0;
        if (isForGood) this.#options.onRefused?.(this.#fail(error));
        else this.#retryLater(error);
      });
    });
  }

  #subscribe(connection: RedisConnection, channel: string): void {
    const hear = (message: string | undefined): void => this.#channels.get(channel)?.(message);
    connection.subscribe(channel, hear).then(
      () => hear(undefined),
      (error: unknown) => this.#lose(connection, messageOf(error)),
    );
  }

  #change(problem: StoreError | undefined): void {
    this.problem = problem;
    for (const listener of this.#listeners) listener(problem);
  }

  #unreachable(reason: string): StoreError {
    return new StoreError(`cannot reach ${this.name}: ${reason}`);
  }

  #fail(error: unknown): StoreError {
    this.#isClosed = true;
    return (this.problem = new StoreError(`cannot use ${this.name}: ${messageOf(error)}`, { cause: error }));
  }

  /** Rejects with what makes it no place to keep anything. */
  async #look(connection: RedisConnection): Promise<void> {
    const { checks, onWarning } = this.#options;
    const roles = await connection.everywhere(["ROLE"]);
    if (roles.some((role) => role.type === "reply" && Array.isArray(role.reply) && role.reply[0] === "slave"))
      throw new Error("it is a replica, and takes no writes");
    const found = (await Promise.all(SETTINGS.map((setting) => look(connection, setting)))).flat();
    const problems = found.filter(({ isUnknown }) => !isUnknown).map(({ message }) => message);
    if (problems.length > 0 && checks === "refuse")
      throw new RedisRefusal(`${problems.join(", and ")}; set it, or say \`store.checks: warn\``);
    await this.#options.look(connection);
    if (this.generation > 0) return;
    for (const { message } of found) onWarning(`${this.name} may lose what it has acknowledged: ${message}`);
  }
}

/** Without these, what was acknowledged may be gone after a crash, or when memory is short. */
const SETTINGS = [
  { name: "appendonly", value: "yes" },
  { name: "appendfsync", value: "always" },
  { name: "maxmemory-policy", value: "noeviction" },
] as const;

interface Finding {
  message: string;
  /** Redis does not say. */
  isUnknown: boolean;
}

async function look(
  connection: RedisConnection,
  { name, value }: (typeof SETTINGS)[number],
): Promise<Finding[]> {
  const answers = await connection.everywhere(["CONFIG", "GET", name]);
  const findings = answers.flatMap((answer): Finding[] => {
    if (answer.type === "unknown" || answer.type === "unsent") throw new Error(answer.message);
    const there = answer.type === "reply" ? valueIn(answer.reply) : undefined;
    if (there === value) return [];
    if (there === undefined) return [{ message: `its \`${name}\` cannot be read`, isUnknown: true }];
    return [{ message: `its \`${name}\` is \`${there}\`, not \`${value}\``, isUnknown: false }];
  });
  return findings.slice(0, 1);
}

function valueIn(reply: Reply): string | undefined {
  const there = Array.isArray(reply) ? (reply[1] as Reply) : undefined;
  return typeof there === "string" ? there : undefined;
}
