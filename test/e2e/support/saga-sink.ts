// The outside of the sagas of a test: steps call it over HTTP, and each key has its effect at most once. How a call fares, and how often
// it fails before it does not, follows from a seed and its key. It keeps what happened, and judges nothing.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { hashText, Random } from "../../simulation/random.ts";

export interface Call {
  path: string;
  execution: string;
  step: string;
  direction: string;
  key: string;
}

/** Refused for certain whenever it is tried, so often of a hundred. */
const DECLINED_PERCENT = 12;
const DELAY_MS_MAX = 12;

export class SagaSink implements AsyncDisposable {
  /** Everything that came, in order. */
  readonly calls: Call[] = [];
  /** By key, what had its effect; in order. */
  readonly effects = new Map<string, Call>();
  readonly #seed: number;
  readonly #attempts = new Map<string, number>();
  readonly #server = createServer((request, response) => this.#take(request, response));

  constructor(seed: number) {
    this.#seed = seed;
  }

  async open(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const header = (name: string): string => String(request.headers[name]);
    const call = {
      path: request.url ?? "",
      execution: header("haraka-execution"),
      step: header("haraka-step"),
      direction: header("haraka-direction"),
      key: header("idempotency-key"),
    };
    this.calls.push(call);
    const attempt = (this.#attempts.get(call.key) ?? 0) + 1;
    this.#attempts.set(call.key, attempt);
    // By the step alone, so that it fares alike in every run of a seed.
    const fate = new Random(hashText(`${call.execution}/${call.step}/${call.direction}`, this.#seed)).fork(
      String(attempt),
    );
    request.resume().on("end", () => {
      setTimeout(() => this.#answer(call, { fate, response }), fate.between(0, DELAY_MS_MAX));
    });
  }

  #answer(call: Call, { fate, response }: { fate: Random; response: ServerResponse }): void {
    const status = this.#isDeclined(call)
      ? 422
      : Number(fate.weigh({ 200: 80, 500: 8, 503: 6, 429: 4, 408: 2 }));
    // An answer that says nothing for certain may come of a call that had its effect all the same.
    const isDone = status === 200 || ((status === 500 || status === 408) && fate.chance(0.5));
    if (isDone && !this.effects.has(call.key)) this.effects.set(call.key, call);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ of: call.step }));
  }

  #isDeclined({ execution, step, direction }: Call): boolean {
    if (direction !== "execute" || (step !== "ledger" && step !== "charge")) return false;
    return new Random(hashText(`${execution}/${step}`, this.#seed)).between(1, 100) <= DECLINED_PERCENT;
  }
}
