// A master, a replica of it, and three sentinels that fail over within a second or two.
import { freePort } from "../e2e/support/ports.ts";
import { RedisServer } from "./server.ts";

export class Sentinels implements AsyncDisposable {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly #sentinels: readonly RedisServer[];

  private constructor(master: RedisServer, replica: RedisServer, sentinels: readonly RedisServer[]) {
    this.master = master;
    this.replica = replica;
    this.#sentinels = sentinels;
  }

  static async start(): Promise<Sentinels> {
    const master = await RedisServer.start();
    const replica = await RedisServer.start({
      settings: ["--replicaof", "127.0.0.1", String(master.port), "--repl-diskless-sync-delay", "0"],
    });
    const text = [
      `sentinel monitor main 127.0.0.1 ${master.port} 2`,
      "sentinel down-after-milliseconds main 500",
      "sentinel failover-timeout main 3000",
    ].join("\n");
    const sentinels = await Promise.all(
      [1, 2, 3].map(async () => RedisServer.sentinel(await freePort(), text)),
    );
    const rig = new Sentinels(master, replica, sentinels);
    // A failover needs sentinels that know one another, and the replica.
    for (const sentinel of sentinels) {
      while (!/slaves=1,sentinels=3/.test(String(await sentinel.command("INFO", "sentinel"))));
    }
    while (!String(await replica.command("INFO", "replication")).includes("master_link_status:up"));
    return rig;
  }

  get urls(): string[] {
    return this.#sentinels.map(({ url }) => url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [...this.#sentinels, this.replica, this.master]) await server[Symbol.asyncDispose]();
  }
}
