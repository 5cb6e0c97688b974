// A stretch of network between a store and Redis that a test can spoil: it can fall silent, cut connections, hold back what one side
// says, and lead somewhere else.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

interface Pair {
  near: Socket;
  far: Socket;
  /** What the client said while it was held back. */
  held: Buffer[];
}

export class Proxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  /** Told of everything that the client of a connection says; what it returns is what becomes of it. */
  onRequest: (request: Buffer) => "pass" | "hold" = () => "pass";
  onReply: () => "pass" | "drop" = () => "pass";
  target: number;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.target = target;
  }

  static async to(target: number): Promise<Proxy> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new Proxy(server, target);
    server.on("connection", (near) => proxy.#join(near));
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The client sees its connections end; the servers do not. */
  cutClients(): void {
    for (const { near } of this.#pairs) near.destroy();
  }

  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  /** Nothing passes; nobody is told. */
  silence(): void {
    for (const { near, far } of this.#pairs) {
      near.pause();
      far.pause();
    }
  }

  resume(): void {
    for (const { near, far } of this.#pairs) {
      near.resume();
      far.resume();
    }
  }

  /** What was held back reaches the server now. */
  release(): void {
    for (const { far, held } of this.#pairs) for (const chunk of held.splice(0)) far.write(chunk);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: Socket): void {
    const far = connect(this.target, "127.0.0.1");
    const pair: Pair = { near, far, held: [] };
    this.#pairs.add(pair);
    near.on("data", (chunk) => {
      if (pair.held.length > 0 || this.onRequest(chunk) === "hold") pair.held.push(chunk);
      else far.write(chunk);
    });
    far.on("data", (chunk) => {
      if (!near.destroyed && this.onReply() === "pass") near.write(chunk);
    });
    near.on("error", () => {});
    far.on("error", () => near.destroy());
    far.on("close", () => {
      near.destroy();
      this.#pairs.delete(pair);
    });
    // With something held back the server goes on waiting for it.
    near.on("close", () => pair.held.length === 0 && far.readyState === "open" && far.end());
  }
}
