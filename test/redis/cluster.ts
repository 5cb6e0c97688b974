// A cluster of three masters, each with a replica if asked for, that fails over within a second or two.
import { RedisServer } from "./server.ts";

const SLOTS = 16_384;

export class Cluster implements AsyncDisposable {
  readonly masters: readonly RedisServer[];
  readonly #replicas: readonly RedisServer[];

  private constructor(masters: readonly RedisServer[], replicas: readonly RedisServer[]) {
    this.masters = masters;
    this.#replicas = replicas;
  }

  static async start({ replicas = false }: { replicas?: boolean } = {}): Promise<Cluster> {
    const settings = [
      "--cluster-enabled",
      "yes",
      "--cluster-node-timeout",
      "1000",
      "--repl-diskless-sync-delay",
      "0",
    ];
    const launch = () => Promise.all([0, 1, 2].map(() => RedisServer.start({ settings })));
    const masters = await launch();
    const copies = replicas ? await launch() : [];
    const [first] = masters;
    if (!first) throw new Error("internal: a cluster of none");
    for (const [index, master] of masters.entries()) {
      const from = Math.ceil((SLOTS / 3) * index);
      const to = Math.ceil((SLOTS / 3) * (index + 1)) - 1;
      await master.command("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
      await master.command("CLUSTER", "ADDSLOTSRANGE", String(from), String(to));
    }
    const all = [...masters, ...copies];
    for (const node of all.slice(1)) await node.command("CLUSTER", "MEET", "127.0.0.1", String(first.port));
    const rig = new Cluster(masters, copies);
    await Promise.all(
      all.map((node) => saysOf(node, "CLUSTER NODES", (nodes) => lines(nodes) === all.length)),
    );
    for (const [index, copy] of copies.entries())
      await copy.command("CLUSTER", "REPLICATE", String(await masters[index]?.command("CLUSTER", "MYID")));
    await Promise.all(
      all.map((node) => saysOf(node, "CLUSTER INFO", (info) => info.includes("cluster_state:ok"))),
    );
    await Promise.all(
      copies.map((copy) =>
        saysOf(copy, "INFO replication", (info) => info.includes("master_link_status:up")),
      ),
    );
    return rig;
  }

  get urls(): string[] {
    return this.masters.map(({ url }) => url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [...this.#replicas, ...this.masters]) await server[Symbol.asyncDispose]();
  }
}

const lines = (text: string): number => text.trim().split("\n").length;

async function saysOf(node: RedisServer, command: string, isSo: (said: string) => boolean): Promise<void> {
  while (!isSo(String(await node.command(...command.split(" ")))));
}
