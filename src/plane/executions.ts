// Intents and executions as one tenant sees them. What is submitted is durable, with its idempotency key, before anybody hears of it; what
// has ended is read from its entry, what goes on from the memory of its owner, or else from its log.
import type { Json } from "../core/json.ts";
import { canonicalJson } from "../core/canonical-json.ts";
import { OPEN } from "../core/claims.ts";
import { partsOf } from "../core/key.ts";
import { PlaneError } from "../errors.ts";
import type {
  Execution,
  Executions,
  ExecutionState,
  NewIntent,
  Resolution,
  Sessions,
} from "../ports/plane.ts";
import type { Commit, Entry, Page } from "../ports/store.ts";
import type { Engine } from "./engine.ts";
import {
  ENDED,
  endedExecution,
  executionKey,
  type Facts,
  headOf,
  idempotencyEntryKey,
  isEnded,
  isSettled,
  openEntry,
  openKey,
} from "./execution-entry.ts";
import { isExecutionId } from "./ids.ts";
import type { Handler } from "./intents.ts";
import { jsonCopy, nameProblem, BAD_CURSOR, pageOf, type PlaneLimits, refuse } from "./limits.ts";
import { accepted, askOf, Elsewhere, type Order, refusal } from "./orders.ts";
import { collectPage, type PageSource } from "./page.ts";
import { frozen } from "./stored-json.ts";
import { Wake } from "./wake.ts";

const ATTEMPTS_MAX = 10;

export interface ExecutionsOptions {
  tenant: string;
  engine: Engine;
  sessions: Pick<Sessions, "get">;
  limits: PlaneLimits;
}

export class TenantExecutions implements Executions {
  readonly #tenant: string;
  readonly #engine: Engine;
  readonly #sessions: Pick<Sessions, "get">;
  readonly #limits: PlaneLimits;

  constructor({ tenant, engine, sessions, limits }: ExecutionsOptions) {
    this.#tenant = tenant;
    this.#engine = engine;
    this.#sessions = sessions;
    this.#limits = limits;
  }

  async submit(intent: NewIntent): Promise<Execution> {
    const { type, idempotencyKey } = intent;
    const isKeyed = idempotencyKey !== undefined;
    refuse(`submit "${type}"`, [
      isKeyed ? nameProblem("idempotencyKey", idempotencyKey, this.#limits) : undefined,
    ]);
    const payload = this.#kept("payload", intent.payload);
    const request = { ...intent, payload };
    let handler: Handler | undefined;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const { before, keyVersion } = isKeyed ? await this.#submitted(request) : NEW;
      if (before) return before;
      handler ??= await this.#accept(request);
      const made = await this.#write(request, { handler, keyVersion });
      if (made) return made;
    }
    throw new Error(`internal: the idempotency key "${idempotencyKey}" is neither taken nor free`);
  }

  async get(id: string): Promise<Execution> {
    const found = await this.#find(id);
    if (found) return found;
    throw notFound(id);
  }

  async #find(id: string): Promise<Execution | undefined> {
    const run = this.#engine.find(this.#tenant, id);
    if (run) return run.view();
    if (!id.isWellFormed()) return undefined;
    const [ended, open] = await this.#engine.store.get(this.#tenant, [executionKey(id), openKey(id)]);
    if (ended) return endedExecution(ended.value, { id, tenant: this.#tenant });
    return open && this.#readOpen(id);
  }

  async wait(
    id: string,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Execution> {
    const { news, clock } = this.#engine;
    const wake = new Wake();
    let isOver = signal?.aborted ?? false;
    const end = (): void => {
      isOver = true;
      wake.set();
    };
    const undo = [clock.after(timeoutMs, end), news.onSettled(id, wake.set)];
    signal?.addEventListener("abort", end);
    const held = this.#engine.find(this.#tenant, id);
    let isElsewhere = false;
    try {
      for (;;) {
        wake.clear();
        const run = held?.isAbandoned ? undefined : held;
        if (!run && !isElsewhere) {
          isElsewhere = true;
          undo.push(news.onAppended({ tenant: this.#tenant, execution: id }, wake.set));
        }
        const execution = run ?? (await this.get(id));
        const state = "status" in execution ? execution.status : execution.state;
        const isLast = isSettled(state) || isOver || !this.#engine.isMoving;
        if (isLast) return "view" in execution ? execution.view() : execution;
        await wake.wait();
      }
    } finally {
      for (const undoOne of undo) undoOne();
      signal?.removeEventListener("abort", end);
    }
  }

  async list({ state, type, session, after, limit }: ListQuery = {}): Promise<Page<Execution>> {
    const isWanted = ({ entry }: Row): boolean => {
      const head = headOf(entry.value);
      return (type ?? head.type) === head.type && (session ?? head.session) === head.session;
    };
    const view = async (row: Row): Promise<Execution | undefined> => {
      if (!isWanted(row)) return undefined;
      const execution = row.hasEnded
        ? endedExecution(row.entry.value, { id: row.id, tenant: this.#tenant })
        : await this.#readOpen(row.id);
      return state === undefined || execution.state === state ? execution : undefined;
    };
    if (after !== undefined && !isExecutionId(after)) refuse("list executions", [BAD_CURSOR]);
    const source: PageSource<Row, Execution, string> = {
      limit: pageOf(limit, this.#limits),
      read: (from, count) => this.#rows({ state, after: from, count }),
      positionOf: ({ id }) => id,
      pick: (rows) => Promise.all(rows.map(view)),
      payloadOf: ({ payload, result = null }) => [payload, result],
    };
    const { items, next } = await collectPage(source, after);
    return next === undefined ? { items } : { items, cursor: next };
  }

  /** By id, ascending, of those that go on and those that have ended together. */
  async #rows({
    state,
    after,
    count,
  }: {
    state: ExecutionState | undefined;
    after: string | undefined;
    count: number;
  }) {
    const scan = async (prefix: string, keyOf: (id: string) => string): Promise<Row[]> => {
      const from = after === undefined ? {} : { after: keyOf(after) };
      const { items } = await this.#engine.store.scan(this.#tenant, { prefix, limit: count, ...from });
      return items.map((entry) => ({ id: partsOf(entry.key)[1] ?? "", entry, hasEnded: prefix === ENDED }));
    };
    // What ends between the two is seen by both, not by neither.
    const open = state === undefined || !isEnded(state) ? await scan(OPEN, openKey) : [];
    const ended = state === undefined || isEnded(state) ? await scan(ENDED, executionKey) : [];
    const rows = new Map([...open, ...ended].map((row) => [row.id, row]));
    return [...rows.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(0, count);
  }

  cancel(id: string): Promise<Execution> {
    return this.#order(id, { verb: "cancel" });
  }

  retry(id: string): Promise<Execution> {
    return this.#order(id, { verb: "retry" });
  }

  async resolve(id: string, { action, step, output }: Resolution): Promise<Execution> {
    const kept = output === undefined ? undefined : this.#kept("output", output);
    const resolution = {
      action,
      ...(step !== undefined && { step }),
      ...(kept !== undefined && { output: kept }),
    };
    return this.#order(id, { verb: "resolve", resolution });
  }

  async signal(id: string, { name, payload }: { name: string; payload?: Json }): Promise<Execution> {
    const kept = payload === undefined ? {} : { payload: this.#kept("payload", payload) };
    return this.#order(id, { verb: "signal", name, ...kept });
  }

  /** As the store gives it back. Throws for what is no JSON, too large or too deep. */
  #kept(path: string, value: Json): Json {
    const { json, problem } = jsonCopy(path, value, this.#limits);
    refuse(`take the ${path}`, [problem]);
    return frozen(json ?? null);
  }

  async #order(id: string, order: Order): Promise<Execution> {
    const { verb } = order;
    for (;;) {
      const { lostTo, mailbox } = this.#engine;
      if (lostTo) throw lostTo;
      const run = this.#engine.find(this.#tenant, id);
      if (run) {
        try {
          const ask = await askOf(order, this.#engine.handlerOf(run.facts.definition));
          return await run.order({ verb, ask });
        } catch (error) {
          // It was taken by another replica meanwhile, and so is the order.
          if (!mailbox || !(error instanceof Elsewhere)) throw error;
        }
      }
      const { state } = await this.get(id);
      if (isEnded(state)) throw refusal(verb, id, `it is ${state}`);
      if (this.#engine.find(this.#tenant, id)) continue;
      if (!mailbox) throw refusal(verb, id, "it is nobody's just now; ask again");
      await mailbox.send({ tenant: this.#tenant, execution: id }, order);
      return this.get(id);
    }
  }

  /** The execution that this key stands for already, if it is still kept. Rejects with `mismatch` when it was another intent's. */
  async #submitted({ type, session, payload, idempotencyKey = "" }: NewIntent): Promise<Submitted> {
    const { store } = this.#engine;
    const [entry] = await store.get(this.#tenant, [idempotencyEntryKey(idempotencyKey)]);
    if (!entry) return NEW;
    const { execution } = entry.value as { execution: string };
    const before = await this.#find(execution);
    if (!before) return { keyVersion: entry.version };
    const isSame =
      before.type === type &&
      before.session === session &&
      canonicalJson(before.payload) === canonicalJson(payload);
    if (isSame) return { before, keyVersion: entry.version };
    throw new PlaneError(
      "mismatch",
      `cannot submit "${type}": the idempotency key "${idempotencyKey}" was used for another intent`,
    );
  }

  /** Rejects unless its session is there, and somebody carries out such an intent. */
  async #accept({ type, session, payload }: NewIntent): Promise<Handler> {
    await this.#sessions.get(session);
    const handler = this.#engine.intents.ofType(type);
    if (!handler) {
      const known = this.#engine.intents.types;
      const message = `there is no intent "${type}"; there is ${known.length === 0 ? "none at all" : known.join(", ")}`;
      throw new PlaneError("invalid", `cannot submit "${type}": ${message}`, {
        errors: [{ path: "type", message }],
      });
    }
    accepted(await handler.check(payload, "payload"), `"${type}"`);
    return handler;
  }

  /** `undefined`: its idempotency key has been taken meanwhile. */
  async #write(
    { type, session, payload, idempotencyKey }: NewIntent,
    { handler, keyVersion }: { handler: Handler; keyVersion: number },
  ) {
    const { store, ids, failpoint } = this.#engine;
    const id = ids.execution(this.#engine.nowMs());
    const { definition } = handler;
    // Whoever takes it carries it out: until it is tracked here, nobody else can have begun.
    const own = this.#engine.isMoving ? { execution: id, token: ids.token() } : undefined;
    const commit: Commit = {
      ...(own && { own }),
      append: [
        {
          id: ids.event(),
          type: "intent_received",
          session,
          execution: id,
          payload: { type, definition, payload },
        },
      ],
      put: [{ key: openKey(id), value: openEntry({ type, session, definition }) }],
    };
    failpoint("intent-commit");
    const result = await store.commit(
      this.#tenant,
      keyed(commit, { id, idempotencyKey, keyVersion, ...this.#engine.keptUntil() }),
    );
    if (!result.ok) return undefined;
    failpoint("intent-durable");
    const facts: Facts = {
      tenant: this.#tenant,
      id,
      type,
      session,
      definition,
      payload,
      createdAtMs: result.timeMs,
    };
    return this.#engine.track(facts, own).view();
  }

  async #readOpen(id: string): Promise<Execution> {
    const run = this.#engine.find(this.#tenant, id) ?? (await this.#engine.read(this.#tenant, id));
    if (!run) throw notFound(id);
    return run.view();
  }
}

interface Row {
  id: string;
  entry: Entry;
  hasEnded: boolean;
}

type ListQuery = { state?: ExecutionState; type?: string; session?: string; after?: string; limit?: number };

/** What a key stands for; of its entry the version, 0 for none. */
interface Submitted {
  before?: Execution;
  keyVersion: number;
}

const NEW: Submitted = { keyVersion: 0 };

interface Keyed extends Pick<Submitted, "keyVersion"> {
  id: string;
  idempotencyKey: string | undefined;
  expiresAtMs?: number;
}

/** With the key taken in the same commit, if it is free. */
function keyed(commit: Commit, { id, idempotencyKey, keyVersion, ...expiry }: Keyed): Commit {
  if (idempotencyKey === undefined) return commit;
  const key = idempotencyEntryKey(idempotencyKey);
  return {
    ...commit,
    expect: [{ key, version: keyVersion }],
    put: [...(commit.put ?? []), { key, value: { execution: id }, ...expiry }],
  };
}

const notFound = (id: string): PlaneError =>
  new PlaneError("not-found", `cannot find the execution "${id}": there is none`);
