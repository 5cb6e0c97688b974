// Of which form the store in Redis is. It is written with the first connection that may make one, and looked at with every other, so
// that nobody writes where a newer version has changed what things mean. There is one form so far; it changes nothing.
import { type RedisConnection, RedisRefusal } from "./connection.ts";
import { LAYOUT, layoutKey } from "./layout.ts";

export interface RedisVersionOptions {
  namespace: string;
  /** One that is not there is made. */
  create: boolean;
}

/** Rejects with {@link RedisRefusal} for one that a newer version has written. */
export async function lookAtVersion(
  connection: RedisConnection,
  { namespace, create }: RedisVersionOptions,
): Promise<void> {
  const key = layoutKey(namespace);
  // Where that is refused, as without memory, there is nothing to say yet.
  if (create) void connection.send(["SETNX", key, String(LAYOUT)], { key });
  const answer = await connection.send(["GET", key], { key });
  if (answer.type === "unknown" || answer.type === "unsent") throw new Error(answer.message);
  if (answer.type === "refused") throw new RedisRefusal(answer.message);
  if (answer.reply === null || answer.reply === String(LAYOUT)) return;
  throw new RedisRefusal(
    `what is in the namespace '${namespace}' is of version ${String(answer.reply)}, and this program knows ${LAYOUT}; use the one that wrote it, or a newer one`,
  );
}
