// Intents and executions as one tenant sees them. What is submitted is durable, with its idempotency key, before anybody hears of it; what
// has ended is read from its entry, what goes on from the memory of its owner, or else from its log.
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
import type { Commit, Entry, Json, Page } from "../ports/store.ts";
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
import type { Checked } from "./payload-check.ts";
import { collectPage, type PageSource } from "./page.ts";
import type { Ask } from "./run.ts";
import { frozen, storedJson } from "./stored-json.ts";

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
    let isOver = signal?.aborted ?? false;
    let wake = (): void => {};
    const end = (): void => {
      isOver = true;
      wake();
    };
    const cancel = this.#engine.clock.after(timeoutMs, end);
    signal?.addEventListener("abort", end);
    const held = this.#engine.find(this.#tenant, id);
    try {
      for (;;) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const run = held?.isAbandoned ? undefined : held;
        const stop = this.#onNews(id, resolve);
        try {
          const execution = run ?? (await this.get(id));
          const state = "status" in execution ? execution.status : execution.state;
          const isLast = isSettled(state) || isOver || !this.#engine.isMoving;
          if (isLast) return "view" in execution ? execution.view() : execution;
          await promise;
        } finally {
          stop();
        }
      }
    } finally {
      cancel();
      signal?.removeEventListener("abort", end);
    }
  }

  /** Calls `tell` when it may have settled. Of one that runs elsewhere the log alone brings news. Returns a function that ends it. */
  #onNews(id: string, tell: () => void): () => void {
    const unlisten = this.#engine.onSettled(id, tell);
    if (this.#engine.find(this.#tenant, id)) return unlisten;
    const unwatch = this.#engine.store.watch(this.#tenant, tell);
    return () => {
      unlisten();
      unwatch();
    };
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
    return this.#order(id, { verb: "cancel", ask: (machine, state) => machine.cancel(state) });
  }

  retry(id: string): Promise<Execution> {
    const ask: Ask = (machine, state) => machine.resolve(state, { action: "retry" });
    return this.#order(id, { verb: "retry", ask });
  }

  async resolve(id: string, { action, step, output }: Resolution): Promise<Execution> {
    const kept = output === undefined ? undefined : this.#kept("output", output);
    const resolution = {
      action,
      ...(step !== undefined && { step }),
      ...(kept !== undefined && { output: kept }),
    };
    return this.#order(id, { verb: "resolve", ask: (machine, state) => machine.resolve(state, resolution) });
  }

  async signal(id: string, { name, payload }: { name: string; payload?: Json }): Promise<Execution> {
    const run = this.#engine.find(this.#tenant, id);
    const check = run && this.#engine.handlerOf(run.facts.definition)?.signals.get(name);
    const kept = payload === undefined ? undefined : this.#kept("payload", payload);
    const value = check
      ? storedJson(accepted(await check(kept ?? null, "payload"), `the signal "${name}"`))
      : kept;
    const given = { name, ...(value !== undefined && { payload: value }) };
    return this.#order(id, { verb: "signal", ask: (machine, state) => machine.signal(state, given) });
  }

  /** As the store gives it back. Throws for what is no JSON, too large or too deep. */
  #kept(path: string, value: Json): Json {
    const { json, problem } = jsonCopy(path, value, this.#limits);
    refuse(`take the ${path}`, [problem]);
    return frozen(json ?? null);
  }

  async #order(id: string, { verb, ask }: { verb: string; ask: Ask }): Promise<Execution> {
    const { lostTo } = this.#engine;
    if (lostTo) throw lostTo;
    const run = this.#engine.find(this.#tenant, id);
    if (run) return run.order(verb, ask);
    const { state } = await this.get(id);
    const reason = isEnded(state) ? `it is ${state}` : "it is nobody's just now; ask again";
    throw new PlaneError("conflict", `cannot ${verb} "${id}": ${reason}`);
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

function accepted(checked: Checked, what: string): unknown {
  if ("value" in checked) return checked.value;
  const { problems } = checked;
  const words = problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new PlaneError("invalid", `cannot take the payload of ${what}: ${words}`, { errors: problems });
}

const notFound = (id: string): PlaneError =>
  new PlaneError("not-found", `cannot find the execution "${id}": there is none`);
