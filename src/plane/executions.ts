// Intents and executions as one tenant sees them. What is submitted is durable, with its idempotency key, before anybody hears of it; what
// has ended is read from its entry, what goes on from the memory of its owner, or else from its log.
import { canonicalJson } from "../core/canonical-json.ts";
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
  endedExecution,
  executionKey,
  EXECUTIONS,
  type Facts,
  headOf,
  idempotencyEntryKey,
  isEnded,
  isSettled,
  OPEN,
  openEntry,
  openKey,
} from "./execution-entry.ts";
import type { Handler } from "./intents.ts";
import type { Checked } from "./payload-check.ts";
import type { Ask, Run } from "./run.ts";
import { storedJson } from "./stored-json.ts";

const LIMIT = 100;
const LIMIT_MAX = 1000;
/** So many entries are looked at for one page. */
const SCANNED_MAX = 2000;
const ATTEMPTS_MAX = 10;

export interface ExecutionsOptions {
  tenant: string;
  engine: Engine;
  sessions: Pick<Sessions, "get">;
}

export class TenantExecutions implements Executions {
  readonly #tenant: string;
  readonly #engine: Engine;
  readonly #sessions: Pick<Sessions, "get">;

  constructor({ tenant, engine, sessions }: ExecutionsOptions) {
    this.#tenant = tenant;
    this.#engine = engine;
    this.#sessions = sessions;
  }

  async submit(intent: NewIntent): Promise<Execution> {
    const { idempotencyKey } = intent;
    const payload = payloadOf(intent.payload);
    const request = { ...intent, payload };
    const known = idempotencyKey === undefined ? undefined : await this.#submitted(request);
    if (known) return known;
    const handler = await this.#accept(request);
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const made = (await this.#write(request, handler)) ?? (await this.#submitted(request));
      if (made) return made;
    }
    throw new Error(`internal: the idempotency key "${idempotencyKey}" is neither taken nor free`);
  }

  async get(id: string): Promise<Execution> {
    const run = this.#engine.find(this.#tenant, id);
    if (run) return run.view();
    const [entry] = id.isWellFormed() ? await this.#engine.store.get(this.#tenant, [executionKey(id)]) : [];
    if (!entry) throw notFound(id);
    return this.#executionOf(entry, id);
  }

  async wait(
    id: string,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Execution> {
    const over = new AbortController();
    const end = (): void => over.abort();
    const cancel = this.#engine.clock.after(timeoutMs, end);
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted) end();
    try {
      for (;;) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const stop = this.#onNews(id, resolve);
        over.signal.addEventListener("abort", () => resolve(), { once: true });
        const execution = await this.get(id).finally(() => over.signal.aborted && resolve());
        const mayChange = this.#engine.mode === "running" || this.#engine.mode === "held";
        if (isSettled(execution.state) || over.signal.aborted || !mayChange) {
          stop();
          return execution;
        }
        await promise.finally(stop);
      }
    } finally {
      cancel();
      signal?.removeEventListener("abort", end);
    }
  }

  /** Of one that runs elsewhere the log alone brings news. */
  #onNews(id: string, tell: () => void): () => void {
    const { engine, tenant } = { engine: this.#engine, tenant: this.#tenant };
    const stop = engine.onSettled(id, tell);
    if (engine.find(tenant, id)) return stop;
    const unwatch = engine.store.watch(tenant, tell);
    return () => {
      stop();
      unwatch();
    };
  }

  async list({ state, type, session, after, limit = LIMIT }: ListQuery = {}): Promise<Page<Execution>> {
    const most = Math.min(Math.max(1, limit), LIMIT_MAX);
    const isWanted = ({ value }: Entry): boolean => {
      const head = headOf(value);
      return (
        (type === undefined || head.type === type) && (session === undefined || head.session === session)
      );
    };
    const items: Execution[] = [];
    let last = after;
    for (let scanned = 0; scanned < SCANNED_MAX; scanned += LIMIT_MAX) {
      const page = await this.#entries({ isOpen: state !== undefined && !isEnded(state), after: last });
      for (const { id, entry } of page.items) {
        last = id;
        if (!entry || !isWanted(entry)) continue;
        const execution = await this.#executionOf(entry, id);
        if (state === undefined || execution.state === state) items.push(execution);
        if (items.length === most)
          return page.items.at(-1)?.id === id && !page.hasMore ? { items } : { items, cursor: id };
      }
      if (!page.hasMore) return { items };
    }
    return last === undefined ? { items } : { items, cursor: last };
  }

  /** A part of all, or of those that are open, in the order in which they were made. */
  async #entries({ isOpen, after }: { isOpen: boolean; after: string | undefined }) {
    const { store } = this.#engine;
    const [prefix, key] = isOpen ? [OPEN, openKey] : [EXECUTIONS, executionKey];
    if (after !== undefined && !after.isWellFormed()) return { items: [], hasMore: false };
    const page = await store.scan(this.#tenant, {
      prefix,
      limit: LIMIT_MAX,
      ...(after !== undefined && { after: key(after) }),
    });
    const ids = page.items.map((entry) => decodeURIComponent(entry.key.slice(prefix.length)));
    const entries = isOpen ? await store.get(this.#tenant, ids.map(executionKey)) : page.items;
    return { items: ids.map((id, at) => ({ id, entry: entries[at] })), hasMore: page.cursor !== undefined };
  }

  cancel(id: string): Promise<Execution> {
    return this.#order(id, { verb: "cancel", ask: (machine, state) => machine.cancel(state) });
  }

  retry(id: string): Promise<Execution> {
    const ask: Ask = (machine, state) => machine.resolve(state, { action: "retry" });
    return this.#order(id, { verb: "retry", ask });
  }

  async resolve(id: string, { action, step, output }: Resolution): Promise<Execution> {
    const kept = output === undefined ? undefined : payloadOf(output, "output");
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
    const kept = payload === undefined ? undefined : payloadOf(payload);
    const value = check
      ? storedJson(accepted(await check(kept ?? null, "payload"), `the signal "${name}"`))
      : kept;
    const given = { name, ...(value !== undefined && { payload: value }) };
    return this.#order(id, { verb: "signal", ask: (machine, state) => machine.signal(state, given) });
  }

  async #order(id: string, { verb, ask }: { verb: string; ask: Ask }): Promise<Execution> {
    const { lostTo, mode } = this.#engine;
    if (lostTo) throw lostTo;
    const run = this.#engine.find(this.#tenant, id);
    if (run?.claim || (run && mode !== "finishing")) return run.order(verb, ask);
    const { state } = await this.get(id);
    const reason = isEnded(state) ? `it is ${state}` : "it is nobody's just now; ask again";
    throw new PlaneError("conflict", `cannot ${verb} "${id}": ${reason}`);
  }

  /** The execution that this key stands for already. Rejects with `mismatch` when it was another intent's. */
  async #submitted({
    type,
    session,
    payload,
    idempotencyKey = "",
  }: NewIntent): Promise<Execution | undefined> {
    refuseIllFormed(idempotencyKey, "Idempotency-Key");
    const { store } = this.#engine;
    const [entry] = await store.get(this.#tenant, [idempotencyEntryKey(idempotencyKey)]);
    if (!entry) return undefined;
    const { execution } = entry.value as { execution: string };
    const before = await this.get(execution);
    const isSame =
      before.type === type &&
      before.session === session &&
      canonicalJson(before.payload) === canonicalJson(payload);
    if (isSame) return before;
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
  async #write({ type, session, payload, idempotencyKey }: NewIntent, handler: Handler) {
    const { store, ids, failpoint } = this.#engine;
    const id = ids.execution(this.#engine.nowMs());
    const { definition } = handler;
    const commit: Commit = {
      append: [
        {
          id: ids.event(),
          type: "intent_received",
          session,
          execution: id,
          payload: { type, definition, payload },
        },
      ],
      put: [
        { key: openKey(id), value: { definition } },
        { key: executionKey(id), value: openEntry({ type, session }, "pending") },
      ],
    };
    failpoint("intent-commit");
    const result = await store.commit(this.#tenant, keyed(commit, { id, idempotencyKey }));
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
    return this.#engine.track(facts).view();
  }

  async #executionOf(entry: Entry, id: string): Promise<Execution> {
    const ended = endedExecution(entry.value, { id, tenant: this.#tenant });
    if (ended) return ended;
    const run: Run | undefined =
      this.#engine.find(this.#tenant, id) ?? (await this.#engine.read(this.#tenant, id));
    if (!run) throw notFound(id);
    return run.view();
  }
}

type ListQuery = { state?: ExecutionState; type?: string; session?: string; after?: string; limit?: number };

/** With the key taken in the same commit, if it is free. */
function keyed(
  commit: Commit,
  { id, idempotencyKey }: { id: string; idempotencyKey: string | undefined },
): Commit {
  if (idempotencyKey === undefined) return commit;
  const key = idempotencyEntryKey(idempotencyKey);
  return {
    ...commit,
    expect: [{ key, version: 0 }],
    put: [...(commit.put ?? []), { key, value: { execution: id } }],
  };
}

function payloadOf(value: Json, path = "payload"): Json {
  try {
    const kept = storedJson(value);
    if (kept !== undefined) return kept;
  } catch (error) {
    const message = `it is no JSON that can be kept: ${(error as Error).message}`;
    throw new PlaneError("invalid", `cannot take ${path}: ${message}`, { errors: [{ path, message }] });
  }
  const message = "it is missing";
  throw new PlaneError("invalid", `cannot take ${path}: ${message}`, { errors: [{ path, message }] });
}

function accepted(checked: Checked, what: string): unknown {
  if ("value" in checked) return checked.value;
  const { problems } = checked;
  const words = problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new PlaneError("invalid", `cannot take the payload of ${what}: ${words}`, { errors: problems });
}

function refuseIllFormed(text: string, path: string): void {
  if (text.isWellFormed()) return;
  const message = "it is no valid Unicode";
  throw new PlaneError("invalid", `cannot take ${path}: ${message}`, { errors: [{ path, message }] });
}

const notFound = (id: string): PlaneError =>
  new PlaneError("not-found", `cannot find the execution "${id}": there is none`);
