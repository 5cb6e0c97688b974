// Several runtimes with one config over one Redis, as a cluster of machines runs them, and a client that asks whichever of them is there:
// like one behind a load balancer it is sent elsewhere when one is gone, and asks again what may be asked twice. It knows nothing of what
// they do.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { type Answer, type Asked, planeAt, type PlaneClient } from "../e2e/support/plane.ts";
import { type Runtime, start } from "../e2e/support/runtime.ts";
import type { Random } from "../simulation/random.ts";

/** Before a client asks again. */
const BACKOFF_MS = 20;
const ANSWER_MS = 10_000;

export interface FleetOptions {
  /** The config; each has it in a folder of its own, and its number as `TEST_REPLICA`. */
  yaml: string | ((index: number) => string);
  random: Random;
  env?: Readonly<Record<string, string>>;
  /** How long each life of a replica may last. */
  patienceMs?: number;
}

interface Replica {
  runtime: Runtime;
  /** Once it has started, as long as it is there. */
  plane: PlaneClient | undefined;
}

export class Fleet implements AsyncDisposable {
  readonly #options: FleetOptions;
  readonly #replicas: Replica[] = [];
  readonly #gone: Runtime[] = [];

  private constructor(options: FleetOptions) {
    this.#options = options;
  }

  static async start(count: number, options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    await Promise.all(Array.from({ length: count }, (_, index) => fleet.launch(index)));
    return fleet;
  }

  get size(): number {
    return this.#replicas.length;
  }

  runtime(index: number): Runtime {
    return this.#at(index).runtime;
  }

  plane(index: number): PlaneClient {
    const { plane } = this.#at(index);
    assert.ok(plane, `replica ${index} is not there`);
    return plane;
  }

  /** A further one, or one in the place of what was killed. Resolves once it has started. */
  async launch(index: number): Promise<void> {
    const before = this.#replicas[index];
    if (before) this.#gone.push(before.runtime);
    const { yaml, env, patienceMs } = this.#options;
    const runtime = start({
      files: { "runtime.yaml": typeof yaml === "string" ? yaml : yaml(index) },
      env: { ...env, TEST_REPLICA: String(index) },
      ...(patienceMs !== undefined && { patienceMs }),
    });
    const replica: Replica = { runtime, plane: undefined };
    this.#replicas[index] = replica;
    await runtime.started();
    const url = await runtime.url();
    if (this.#replicas[index] === replica) replica.plane = planeAt(url);
  }

  /** Resolves once it is dead. */
  async kill(index: number): Promise<void> {
    const replica = this.#at(index);
    replica.plane = undefined;
    const { signal, stdout, stderr } = await replica.runtime.signal("SIGKILL").ended;
    await replica.runtime[Symbol.asyncDispose]();
    assert.equal(
      signal,
      "SIGKILL",
      `replica ${index} has ended by itself:\n${stdout.slice(-4_000)}\n${stderr}`,
    );
  }

  /** As an operator does it. */
  async stop(index: number): Promise<void> {
    const replica = this.#at(index);
    replica.plane = undefined;
    const { code, stdout, stderr } = await replica.runtime.stop();
    assert.equal(code, 0, `${stdout.slice(-4_000)}\n${stderr}`);
  }

  /** Any that is there answers. What may be asked twice only: who was asked may have died of it, or Redis be gone for now. */
  async ask(
    line: string,
    { patienceMs = ANSWER_MS, ...asked }: Asked & { patienceMs?: number } = {},
  ): Promise<Answer> {
    for (;;) {
      const there = this.#replicas.flatMap(({ plane }) => plane ?? []);
      if (there.length > 0) {
        const plane = this.#options.random.pick(there);
        const answer = await plane
          .ask(line, { ...asked, signal: AbortSignal.timeout(patienceMs) })
          .catch(() => undefined);
        if (answer && answer.status !== 503) return answer;
      }
      await pause(BACKOFF_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#gone, ...this.#replicas.map(({ runtime }) => runtime)];
    await Promise.all(all.map((runtime) => runtime[Symbol.asyncDispose]()));
  }

  #at(index: number): Replica {
    const replica = this.#replicas[index];
    assert.ok(replica, `there is no replica ${index}`);
    return replica;
  }
}
