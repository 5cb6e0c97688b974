// Connections to Redis that are made and lost, and commands whose outcome may stay unknown. Who makes a connection knows whether it
// leads to one server, to the master that sentinels name, or to a cluster; nobody else does.

export type Reply = null | number | string | readonly Reply[];

/** What came of a command. */
export type Answer =
  | { type: "reply"; reply: Reply }
  /** Redis refuses: its own words. A script that was refused at once has written nothing. */
  | { type: "refused"; message: string }
  /** It never went out. */
  | { type: "unsent"; message: string }
  /** It went out, and the connection was lost before an answer came. */
  | { type: "unknown"; message: string };

export interface SendOptions {
  /** Where it belongs in a cluster. */
  key?: string;
}

/** One connection, or one to each node of a cluster. It lives once: what is lost is made anew. */
export interface RedisConnection {
  /** What goes out in one turn of the loop goes out together; one server keeps the order. */
  send(words: readonly string[], options?: SendOptions): Promise<Answer>;
  /** By every server that takes writes. */
  everywhere(words: readonly string[]): Promise<readonly Answer[]>;
  /** Resolves once every server has answered, those that are only listened to as well. */
  ping(): Promise<void>;
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  /** Resolves once it is of no use any more, with why. Never rejects. */
  readonly lost: Promise<string>;
  /** What has no answer yet stays unknown. */
  destroy(): void;
}

/** Makes one. Rejects with {@link RedisRefusal} when Redis answers and will not have us, otherwise with why it cannot be reached. */
export type Dial = () => Promise<RedisConnection>;

/** To try again would give the same. */
export class RedisRefusal extends Error {
  override readonly name = "RedisRefusal";
}
