// A plane in memory for tests of what stands in front of one: it keeps the port's promises about versions, tenants, tokens and the
// log, without a store. Executions do nothing by themselves: a test moves them.
import type { Json } from "../../src/core/json.ts";
import { PlaneError } from "../../src/errors.ts";
import type {
  Execution,
  Executions,
  NewIntent,
  Plane,
  Session,
  Sessions,
  StateChange,
  StateEntry,
  StateSurface,
  TenantPlane,
  Wal,
  WalFilter,
} from "../../src/ports/plane.ts";
import type { LogRecord, NewRecord, Page } from "../../src/ports/store.ts";

const PLANE_TIME_MS = Date.UTC(2026, 0, 1);

/** What has happened to one tenant, and whoever waits for more. */
class FakeTenant {
  readonly name: string;
  readonly log: LogRecord[] = [];
  readonly sessions = new Map<string, Session>();
  readonly entries = new Map<string, StateEntry>();
  readonly executions = new Map<string, Execution>();
  readonly keys = new Map<string, { intent: string; execution: string }>();
  readonly #waiting = new Set<() => void>();

  constructor(name: string) {
    this.name = name;
  }

  append(record: Omit<NewRecord, "id" | "payload"> & { payload?: Json }): void {
    const seq = this.log.length + 1;
    this.log.push({
      payload: {},
      ...record,
      seq,
      id: `event_${seq}`,
      tenant: this.name,
      timeMs: PLANE_TIME_MS + seq,
    });
    this.wake();
  }

  wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves at the next record or change, or when `signal` aborts. */
  async more(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (!signal.aborted) await promise;
    this.#waiting.delete(resolve);
  }

  async *follow(after: number, signal: AbortSignal): AsyncGenerator<LogRecord> {
    for (let seq = after; !signal.aborted;) {
      const record = this.log[seq];
      if (record === undefined) await this.more(signal);
      else {
        seq += 1;
        yield record;
      }
    }
  }

  get waiting(): number {
    return this.#waiting.size;
  }
}

export interface FakePlane extends Plane {
  tenantOf(name: string): FakeTenant;
  /** Puts an execution into another state, with what else is said. */
  move(id: string, change: Partial<Execution>): void;
  /** Every call rejects with this from now on. */
  fails(error: Error | undefined): void;
  /** Intents that are known; their payload must be an object. */
  types: Set<string>;
}

export function fakePlane(): FakePlane {
  const tenants = new Map<string, FakeTenant>();
  const tokens = new Map<string, { session: Session; live: boolean }>();
  let failure: Error | undefined;
  let count = 0;
  const tenantOf = (name: string) => {
    const tenant = tenants.get(name) ?? new FakeTenant(name);
    tenants.set(name, tenant);
    return tenant;
  };
  const next = (kind: string) => `${kind}_${(count += 1)}`;
  const types = new Set(["order.place"]);
  return {
    types,
    tenantOf,
    fails: (error) => void (failure = error),
    tenant(name) {
      const tenant = tenantOf(name);
      const parts: TenantPlane = {
        sessions: sessionsOf(tenant, { next, tokens }),
        state: stateOf(tenant),
        wal: walOf(tenant),
        executions: executionsOf(tenant, { next, types }),
      };
      return Object.fromEntries(
        Object.entries(parts).map(([part, methods]) => [part, failing(methods as object, () => failure)]),
      ) as unknown as TenantPlane;
    },
    async sessionOf(token) {
      if (failure) throw failure;
      const known = tokens.get(token);
      if (known === undefined || known.session.state !== "active") return undefined;
      if (known.live) return known.session;
      known.session.state = "revoked";
      const { id, tenant, user } = known.session;
      tenantOf(tenant).append({ type: "session_revoked", session: id, payload: { user } });
      return undefined;
    },
    move(id, change) {
      for (const tenant of tenants.values()) {
        const execution = tenant.executions.get(id);
        if (execution === undefined) continue;
        tenant.executions.set(id, { ...execution, ...change });
        tenant.append({ type: "execution_completed", execution: id, session: execution.session });
      }
    },
  };
}

function failing<T extends object>(methods: T, failure: () => Error | undefined): T {
  return new Proxy(methods, {
    get: (target, key) => {
      const error = failure();
      if (error) return () => Promise.reject(error);
      return target[key as keyof T];
    },
  });
}

function pageOf<T>(all: readonly T[], { keyOf, after = "", limit = 100 }: PageOptions<T>): Page<T> {
  const behind = all.filter((item) => keyOf(item) > after);
  const items = behind.slice(0, limit);
  const last = items.at(-1);
  return { items, ...(behind.length > limit && last !== undefined && { cursor: keyOf(last) }) };
}

interface PageOptions<T> {
  keyOf: (item: T) => string;
  after?: string | undefined;
  limit?: number | undefined;
}

interface SessionParts {
  next: (kind: string) => string;
  tokens: Map<string, { session: Session; live: boolean }>;
}

function sessionsOf(tenant: FakeTenant, { next, tokens }: SessionParts): Sessions {
  const live = (id: string): Session => {
    const session = tenant.sessions.get(id);
    if (session?.state !== "active") throw new PlaneError("not-found", `no session "${id}"`);
    return session;
  };
  const issue = (session: Session): string => {
    for (const known of tokens.values()) if (known.session === session) known.live = false;
    const token = next("secret");
    tokens.set(token, { session, live: true });
    return token;
  };
  const changed = (session: Session, type: "session_updated" | "session_rotated") => {
    session.version += 1;
    tenant.append({ type, session: session.id });
    return { ...session };
  };
  return {
    async create({ user, context = {}, absoluteMs = 86_400_000 }) {
      const session: Session = {
        id: next("session"),
        tenant: tenant.name,
        user,
        context,
        state: "active",
        version: 1,
        createdAtMs: PLANE_TIME_MS,
        updatedAtMs: PLANE_TIME_MS,
        expiresAtMs: PLANE_TIME_MS + absoluteMs,
      };
      tenant.sessions.set(session.id, session);
      tenant.append({ type: "session_created", session: session.id, payload: { user } });
      return { ...session, token: issue(session) };
    },
    get: async (id) => ({ ...live(id) }),
    async list({ user, after, limit } = {}) {
      const all = [...tenant.sessions.values()].filter(
        (session) => session.state === "active" && (user === undefined || session.user === user),
      );
      return pageOf(all, { keyOf: ({ id }) => id, after, limit });
    },
    async patch(id, { context }, { ifVersion } = {}) {
      const session = live(id);
      if (ifVersion !== undefined && ifVersion !== session.version) throw staleAt(session.version);
      session.context = { ...session.context, ...context };
      return changed(session, "session_updated");
    },
    touch: async (id) => changed(live(id), "session_updated"),
    async close(id) {
      const session = live(id);
      session.state = "closed";
      tenant.append({ type: "session_closed", session: id, payload: { user: session.user } });
    },
    async rotate(id) {
      const session = live(id);
      const token = issue(session);
      return { ...changed(session, "session_rotated"), token };
    },
  };
}

function staleAt(version: number): PlaneError {
  return new PlaneError("stale", `it is version ${version} by now`);
}

function stateOf(tenant: FakeTenant): StateSurface {
  const place = (namespace: string, key: string) => JSON.stringify([namespace, key]);
  const check = (entry: StateEntry | undefined, ifVersion: number | undefined) => {
    const version = entry?.version ?? 0;
    if (ifVersion !== undefined && ifVersion !== version) throw staleAt(version);
  };
  return {
    get: async (namespace, key) => tenant.entries.get(place(namespace, key)),
    async put(namespace, key, { value, ttlMs, ifVersion }) {
      const before = tenant.entries.get(place(namespace, key));
      check(before, ifVersion);
      const entry: StateEntry = {
        namespace,
        key,
        value,
        version: (before?.version ?? 0) + 1,
        ...(ttlMs !== undefined && { expiresAtMs: PLANE_TIME_MS + ttlMs }),
      };
      tenant.entries.set(place(namespace, key), entry);
      tenant.append({ type: "state_written", payload: { namespace, key, version: entry.version, value } });
      return { ...entry, created: before === undefined };
    },
    async delete(namespace, key, { ifVersion } = {}) {
      const before = tenant.entries.get(place(namespace, key));
      check(before, ifVersion);
      if (before === undefined) throw new PlaneError("not-found", `no "${key}"`);
      tenant.entries.delete(place(namespace, key));
      tenant.append({ type: "state_deleted", payload: { namespace, key, version: before.version } });
    },
    async list(namespace, { prefix = "", after, limit } = {}) {
      const all = [...tenant.entries.values()]
        .filter((entry) => entry.namespace === namespace && entry.key.startsWith(prefix))
        .toSorted((one, other) => (one.key < other.key ? -1 : 1));
      return pageOf(all, { keyOf: ({ key }) => key, after, limit });
    },
    async *watch(namespace, { after = 0, signal }) {
      for await (const { seq, type, payload } of tenant.follow(after, signal)) {
        const change = payload as unknown as StateEntry;
        if (!type.startsWith("state_") || change.namespace !== namespace) continue;
        const { key, value, version } = change;
        yield {
          seq,
          key,
          version,
          type: type.slice("state_".length) as StateChange["type"],
          ...(value !== undefined && { value }),
        };
      }
    },
  };
}

function walOf(tenant: FakeTenant): Wal {
  const holds =
    ({ types, session, execution }: WalFilter) =>
    (record: LogRecord) =>
      (types === undefined || types.includes(record.type)) &&
      (session === undefined || record.session === session) &&
      (execution === undefined || record.execution === execution);
  return {
    async read({ after = 0, limit = 100, ...filter } = {}) {
      const items = tenant.log.slice(after).filter(holds(filter));
      const last = items[limit - 1];
      return {
        items: items.slice(0, limit),
        ...(items.length > limit && last !== undefined && { cursor: String(last.seq) }),
      };
    },
    keptFrom: () => Promise.resolve(0),

    async *tail({ after = 0, signal, ...filter }) {
      for await (const record of tenant.follow(after, signal)) if (holds(filter)(record)) yield record;
    },
  };
}

const OVER: ReadonlySet<string> = new Set(["completed", "compensated", "failed", "parked", "cancelled"]);

function executionsOf(
  tenant: FakeTenant,
  { next, types }: { next: (kind: string) => string; types: ReadonlySet<string> },
): Executions {
  const found = (id: string): Execution => {
    const execution = tenant.executions.get(id);
    if (execution === undefined) throw new PlaneError("not-found", `no execution "${id}"`);
    return execution;
  };
  const move = (id: string, { from, to }: { from: readonly string[]; to: Execution["state"] }): Execution => {
    const execution = found(id);
    if (!from.includes(execution.state))
      throw new PlaneError("conflict", `cannot do that with "${id}": it is ${execution.state}`);
    const moved = { ...execution, state: to };
    tenant.executions.set(id, moved);
    tenant.append({ type: "saga_resolved", execution: id, session: execution.session });
    return moved;
  };
  return {
    submit: async (intent) => submitted(tenant, intent, { next, types }),
    get: async (id) => found(id),
    async wait(id, { timeoutMs, signal }) {
      const ending = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
      while (!OVER.has(found(id).state) && !ending.aborted) await tenant.more(ending);
      return found(id);
    },
    async list({ state, type, session, after, limit } = {}) {
      const all = [...tenant.executions.values()].filter(
        (execution) =>
          (state === undefined || execution.state === state) &&
          (type === undefined || execution.type === type) &&
          (session === undefined || execution.session === session),
      );
      return pageOf(all, { keyOf: ({ id }) => id, after, limit });
    },
    cancel: async (id) => move(id, { from: ["pending", "running"], to: "cancelled" }),
    retry: async (id) => move(id, { from: ["failed", "parked"], to: "running" }),
    resolve: async (id, { action }) =>
      move(id, { from: ["parked"], to: action === "abort" ? "failed" : "running" }),
    async signal(id, { name, payload = null }) {
      const execution = move(id, { from: ["pending", "running"], to: "running" });
      tenant.append({ type: "signal_received", execution: id, payload: { name, payload } });
      return execution;
    },
  };
}

function submitted(
  tenant: FakeTenant,
  { type, session, payload, idempotencyKey }: NewIntent,
  { next, types }: { next: (kind: string) => string; types: ReadonlySet<string> },
): Execution {
  if (tenant.sessions.get(session)?.state !== "active") throw new PlaneError("not-found", "no such session");
  const intent = JSON.stringify([type, session, payload]);
  const known = idempotencyKey === undefined ? undefined : tenant.keys.get(idempotencyKey);
  if (known && known.intent !== intent)
    throw new PlaneError("mismatch", `another intent has the Idempotency-Key "${idempotencyKey}"`);
  if (known) return tenant.executions.get(known.execution)!;
  if (!types.has(type)) {
    const errors = [{ path: "type", message: `unknown type "${type}"` }];
    throw new PlaneError("invalid", `cannot submit: unknown type "${type}"`, { errors });
  }
  const execution: Execution = {
    id: next("execution"),
    type,
    tenant: tenant.name,
    session,
    state: "pending",
    payload,
    createdAtMs: PLANE_TIME_MS,
    updatedAtMs: PLANE_TIME_MS,
  };
  tenant.executions.set(execution.id, execution);
  if (idempotencyKey !== undefined) tenant.keys.set(idempotencyKey, { intent, execution: execution.id });
  tenant.append({ type: "intent_received", execution: execution.id, session });
  return execution;
}
