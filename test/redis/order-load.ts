// Orders placed at a fleet by several clients at once, and the account of them: every one that was acknowledged has come to its end, all or
// nothing of it, no key has had its effect twice (G1, G2), and the log is whole. What happens to the fleet meanwhile is up to the test.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { checkCalls, checkOrder, orderIntent } from "../e2e/support/orders.ts";
import { all } from "../e2e/support/plane-writers.ts";
import { type Call, SagaSink } from "../e2e/support/saga-sink.ts";
import type { Fleet } from "./fleet.ts";

const CLIENTS = 8;
/** A client asks elsewhere then: a replica may be asleep. */
const ANSWER_MS = 1_000;
/** Of five seconds each, for one that has not come to its end. */
const WAITS_MAX = 4;

export interface LoggedEvent {
  seq: number;
  type: string;
  time: string;
  execution?: string;
  step?: string;
}

interface End {
  id: string;
  state: string;
  error?: object;
}

/** The config of each replica. `store`: what stands beside the driver. */
export function fleetYaml(store: string, intents: string): string {
  return `
store: { driver: redis, namespace: shop, ${store} }
control: { socket: false }
http: { port: 0 }
runtime: { shutdown: { drain: 0s } }
intents:${intents}
services: { idle: { command: [sleep, "100000"] } }
`;
}

export class OrderLoad implements AsyncDisposable {
  readonly #sink: SagaSink;
  readonly #ids: string[] = [];
  #isOver = false;

  private constructor(sink: SagaSink) {
    this.#sink = sink;
  }

  static async open(seed: number): Promise<OrderLoad> {
    return new OrderLoad(await new SagaSink(seed).open());
  }

  get intents(): string {
    return orderIntent(`${this.#sink.url}/\${TEST_REPLICA}`);
  }

  /** How many calls each replica has made. */
  get callsByReplica(): ReadonlyMap<number, number> {
    const calls = Map.groupBy(this.#sink.calls, ({ path }) => Number(path.split("/")[1]));
    return new Map([...calls].map(([replica, some]) => [replica, some.length]));
  }

  /** So many were acknowledged. */
  get placed(): number {
    return this.#ids.length;
  }

  /** Places so many, spread over so long; or, without an end, one after the other until `stop`. */
  async place(fleet: Fleet, { count = Infinity, forMs = 0 } = {}): Promise<void> {
    const { body: session } = await fleet.ask("POST /sessions", { json: { user: "ann" } });
    const startMs = performance.now();
    let next = 0;
    const client = async (): Promise<void> => {
      while (next < count && !this.#isOver) {
        const n = next++;
        const dueMs = count === Infinity ? 0 : startMs + (n * forMs) / count;
        await pause(Math.max(0, dueMs - performance.now()));
        const json = { type: "order.place", session: session.id, payload: { n } };
        const headers = { "idempotency-key": `${session.id}-${n}` };
        const { status, text, body } = await fleet.ask("POST /intents", {
          json,
          headers,
          patienceMs: ANSWER_MS,
        });
        assert.equal(status, 202, text);
        this.#ids.push(body.id);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
  }

  /** Resolves once so many more were acknowledged. */
  async more(count: number): Promise<void> {
    for (const goal = this.placed + count; this.placed < goal;) await pause(10);
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Waits for the end of all that was placed. Gives the log, and in a few words what has come of it. */
  async account(fleet: Fleet): Promise<{ log: LoggedEvent[]; story: string }> {
    for (const id of this.#ids) await settled(fleet, id);
    const ends: End[] = await all(fleet, "/executions");
    assert.equal(new Set(this.#ids).size, this.#ids.length, "two orders became one execution");
    assert.deepEqual(ends.map(({ id }) => id).toSorted(), this.#ids.toSorted());
    const effects = Map.groupBy(this.#sink.effects.values(), ({ execution }: Call) => execution);
    for (const end of ends) checkOrder(end, effects.get(end.id) ?? []);
    const log: LoggedEvent[] = await all(fleet, "/wal");
    checkCalls(this.#sink.calls, log);
    for (const [index, { seq }] of log.entries()) assert.equal(seq, index + 1, "the log has a gap");
    const states = [...Map.groupBy(ends, ({ state }) => state)];
    const counts = states.map(([state, some]) => `${some.length} ${state}`).join(", ");
    return { log, story: `${counts}; ${log.length} records, ${this.#sink.calls.length} calls` };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#sink[Symbol.asyncDispose]();
  }
}

async function settled(fleet: Fleet, id: string): Promise<void> {
  let { body } = await fleet.ask(`GET /executions/${id}`);
  for (let left = WAITS_MAX; !["completed", "compensated"].includes(body.state); left--) {
    assert.ok(body.state !== "parked" && left > 0, `it stands still: ${JSON.stringify(body)}`);
    ({ body } = await fleet.ask(`GET /executions/${id}?wait=5s`));
  }
}
