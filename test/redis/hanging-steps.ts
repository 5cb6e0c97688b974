// The outside of sagas whose only step hangs until it is let go. Each call says which replica has made it, and under which key.
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export class HangingSteps implements AsyncDisposable {
  readonly calls: { replica: string; key: string }[] = [];
  /** Calls are answered at once from now on. */
  isFast = false;
  readonly #hanging = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => {
    this.calls.push({ replica: request.url ?? "", key: String(request.headers["idempotency-key"]) });
    this.#look();
    if (this.isFast) response.end("{}");
    else this.#hanging.add(response);
  });
  #look = (): void => {};

  async open(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves once there have been so many calls. */
  async reached(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#look = () => this.calls.length >= count && resolve();
      this.#look();
    });
  }

  letGo(): void {
    this.isFast = true;
    for (const response of this.#hanging) response.end("{}");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
