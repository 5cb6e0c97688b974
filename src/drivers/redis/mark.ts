// Keeps everybody out of a Redis that is the unfinished target of a migration, each time a connection is made, and lets a migration see
// which namespaces runtimes use. It writes nothing.
import { type CopyMark, unfinishedText } from "../../ports/store-copy.ts";
import { type Dial, RedisRefusal } from "./connection.ts";
import { copyMarkKey, runtimesChannel } from "./layout.ts";

export interface MarkOptions {
  namespace: string;
  /** Is to be seen as long as it is connected. */
  isRuntime: boolean;
}

/** What the dial made rejects with is a refusal while the mark stands. */
export function respectingMark(dial: Dial, { namespace, isRuntime }: MarkOptions): Dial {
  return async () => {
    const connection = await dial();
    try {
      // First seen, then looking: a migration does it the other way round, so one of the two notices the other.
      if (isRuntime) await connection.subscribe(runtimesChannel(namespace), () => {});
      const key = copyMarkKey(namespace);
      const answer = await connection.send(["GET", key], { key });
      if (answer.type !== "reply") throw new Error(answer.message);
      if (typeof answer.reply === "string")
        throw new RedisRefusal(unfinishedText(JSON.parse(answer.reply) as CopyMark));
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  };
}
