// The store of one process, over an engine that keeps its rows: writes that arrive in one turn of the event loop share a batch,
// and none is acknowledged before the batch is durable. The first batch that fails is the last one: nothing is tried again, since
// after a failed fsync nobody knows what is on the disk. It knows no SQL and no file.
//
//   commit() ─▶ waiting ─▶ [ begin · decide and write each in order · COMMIT ] ─▶ acknowledge all ─▶ hints to watchers
//                             at most 256 records or 256 KiB, in one go     │
//                             then timers and sockets get their turn        └─ throws ─▶ reject all, lost for good
import type { Json } from "../core/json.ts";
import { Claims, executionOf, OPEN, type OpenExecution, openExecution } from "../core/claims.ts";
import { SteadyTime } from "../core/steady-time.ts";
import { refuseIllFormed, storedText } from "../core/stored-text.ts";
import { messageOf, StoreError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Failpoint } from "../ports/failpoint.ts";
import type {
  Claim,
  Commit,
  CommitResult,
  Entry,
  LogRecord,
  Ownerships,
  Page,
  Store,
} from "../ports/store.ts";
import type { EntryRow, LogRow, NewEntryRow, NewLogRow, StoreEngine } from "../ports/store-engine.ts";

const BATCH_RECORDS_MAX = 256;
const BATCH_BYTES_MAX = 256 * 1024;
/** What waits to be written; beyond it, writers are turned away. */
const WAITING_BYTES_MAX = 256 * 1024 * 1024;
/** How much of a log is let go of in one batch. */
const TRIMMED_AT_ONCE = 256;
/** What a write takes besides its texts, roughly. */
const WRITE_BYTES = 200;

export interface EmbeddedStoreOptions {
  clock: Clock;
  failpoint: Failpoint;
  /** Called once, with what every later call rejects with. */
  onLost?: ((error: StoreError) => void) | undefined;
  /** Calls `run` when timers and sockets have had their turn. */
  nextTurn?: ((run: () => void) => void) | undefined;
  /** Default 256 MiB. */
  waitingBytesMax?: number;
}

export function embeddedStore(engine: StoreEngine, options: EmbeddedStoreOptions): Store & Ownerships {
  return new EmbeddedStore(engine, options);
}

/** A commit in the form that the engine takes. */
interface Write {
  tenant: string;
  expect: NonNullable<Commit["expect"]>;
  append: readonly NewLogRow[];
  put: readonly NewEntryRow[];
  remove: readonly string[];
  owner: Commit["owner"];
  own: Commit["own"];
  /** Besides what a commit has. */
  trim?: () => void;
  /** Executions that it opens or ends. */
  opens: readonly OpenExecution[];
  ends: readonly string[];
  records: number;
  bytes: number;
  resolve(result: CommitResult): void;
  reject(error: StoreError): void;
}

class EmbeddedStore implements Store, Ownerships {
  readonly #engine: StoreEngine;
  readonly #clock: Clock;
  readonly #failpoint: Failpoint;
  readonly #onLost: ((error: StoreError) => void) | undefined;
  readonly #nextTurn: (run: () => void) => void;
  readonly #waitingBytesMax: number;
  readonly #claims = new Claims();
  readonly #watchers = new Map<string, Set<() => void>>();
  #waiting: Write[] = [];
  #waitingBytes = 0;
  #scheduled = false;
  readonly #time: SteadyTime;
  /** Why nothing can be asked any more. */
  #gone: StoreError | undefined;
  #closing: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(
    engine: StoreEngine,
    {
      clock,
      failpoint,
      onLost,
      nextTurn = laterTurn,
      waitingBytesMax = WAITING_BYTES_MAX,
    }: EmbeddedStoreOptions,
  ) {
    this.#engine = engine;
    this.#clock = clock;
    this.#failpoint = failpoint;
    this.#onLost = onLost;
    this.#nextTurn = nextTurn;
    this.#waitingBytesMax = waitingBytesMax;
    this.#time = new SteadyTime({ timeMs: engine.lastTimeMs, monotonicMs: clock.now() });
    this.#findOpen();
  }

  async commit(tenant: string, commit: Commit): Promise<CommitResult> {
    if (this.#gone) throw this.#gone;
    const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
    const write = writeOf(tenant, commit, { resolve, reject });
    // What runs is never turned away, only what would be more to run.
    if (!commit.owner && this.#waitingBytes + write.bytes > this.#waitingBytesMax) {
      throw new StoreError(
        `cannot write to ${this.#engine.name}: ${this.#waiting.length} writes with ${this.#waitingBytes} bytes wait already, and this one has ${write.bytes}; write less at once`,
      );
    }
    this.#enqueue(write);
    return promise;
  }

  async trim(tenant: string, { throughSeq }: { throughSeq: number }): Promise<void> {
    for (let isMore = true; isMore;) {
      if (this.#gone) throw this.#gone;
      const { promise, ...answer } = Promise.withResolvers<CommitResult>();
      const part = { throughSeq, limit: TRIMMED_AT_ONCE };
      const trim = (): void => void (isMore = this.#engine.trim(tenant, part));
      this.#enqueue({ ...writeOf(tenant, {}, answer), trim, records: TRIMMED_AT_ONCE });
      await promise;
    }
  }

  async get(tenant: string, keys: readonly string[]): Promise<readonly (Entry | undefined)[]> {
    const timeMs = this.#now();
    return this.#read(() =>
      keys.map((key) => {
        const row = this.#engine.get(tenant, key);
        return row && !isExpired(row, timeMs) ? entryOf(row) : undefined;
      }),
    );
  }

  async scan(
    tenant: string,
    { limit, ...query }: { prefix: string; after?: string; limit: number },
  ): Promise<Page<Entry>> {
    const timeMs = this.#now();
    const rows = this.#read(() => this.#engine.scan(tenant, { ...query, limit: limit + 1, timeMs }));
    const items = rows.slice(0, limit).map(entryOf);
    const last = items.at(-1);
    return rows.length > limit && last ? { items, cursor: last.key } : { items };
  }

  async log(
    tenant: string,
    query: { after: number; limit: number; execution?: string },
  ): Promise<readonly LogRecord[]> {
    return this.#read(() => this.#engine.log(tenant, query).map((row) => recordOf(tenant, row)));
  }

  watch(tenant: string, onWritten: () => void): () => void {
    const watchers = this.#watchers.get(tenant) ?? new Set();
    // Of its own, so that one function may watch twice.
    const watcher = (): void => onWritten();
    this.#watchers.set(tenant, watchers.add(watcher));
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(tenant) === watchers) this.#watchers.delete(tenant);
    };
  }

  async tenants(): Promise<readonly { tenant: string; lastSeq: number }[]> {
    const all: { tenant: string; lastSeq: number }[] = [];
    for (let from: number | undefined = 0; from !== undefined;) {
      const start: number = from;
      const { tenants, next } = this.#read(() => this.#engine.tenants(start));
      all.push(...tenants);
      from = next;
      if (next !== undefined) await new Promise<void>((turn) => this.#nextTurn(turn));
    }
    return all.sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
  }

  async expired(limit: number): Promise<readonly { tenant: string; entry: Entry }[]> {
    const timeMs = this.#now();
    return this.#read(() =>
      this.#engine.expired(timeMs, limit).map(({ tenant, row }) => ({ tenant, entry: entryOf(row) })),
    );
  }

  async expiresInMs(): Promise<number | undefined> {
    const atMs = this.#read(() => this.#engine.firstExpiryMs());
    return atMs === undefined ? undefined : Math.max(0, atMs - this.#now());
  }

  async claim({ known, limit }: { known?: readonly string[]; limit: number }): Promise<readonly Claim[]> {
    return this.#read(() => this.#claims.claim({ known, limit, token: newToken }));
  }

  async renew(claims: readonly Claim[]): Promise<readonly Claim[]> {
    return this.#read(() => claims.filter((claim) => !this.#claims.owns(claim)));
  }

  async release(claims: readonly Claim[]): Promise<void> {
    this.#read(() => claims.forEach((claim) => this.#claims.release(claim)));
  }

  close(): Promise<void> {
    if (this.#closing) return this.#closing.promise;
    this.#closing = Promise.withResolvers<void>();
    this.#gone ??= new StoreError(`cannot use ${this.#engine.name}: it is closed`);
    for (const tenant of this.#watchers.keys()) this.#hint(tenant);
    if (this.#waiting.length === 0) this.#letGo();
    return this.#closing.promise;
  }

  #letGo(): void {
    this.#engine.close();
    this.#closing?.resolve();
  }

  #enqueue(write: Write): void {
    this.#waiting.push(write);
    this.#waitingBytes += write.bytes;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#nextTurn(() => this.#writeBatch());
  }

  #writeBatch(): void {
    this.#scheduled = false;
    const batch = this.#takeBatch();
    const results = this.#transact(batch);
    if (results === undefined) return;
    batch.forEach(({ resolve }, index) => resolve(results[index] as CommitResult));
    const written = batch.filter(({ records }, index) => records > 0 && results[index]?.ok);
    for (const tenant of new Set(written.map((write) => write.tenant))) this.#hint(tenant);
    if (this.#waiting.length > 0) this.#schedule();
    else if (this.#closing) this.#letGo();
  }

  /** At least one. */
  #takeBatch(): Write[] {
    let [count, records, bytes] = [0, 0, 0];
    for (const write of this.#waiting) {
      records += write.records;
      bytes += write.bytes;
      if (count > 0 && (records > BATCH_RECORDS_MAX || bytes > BATCH_BYTES_MAX)) break;
      count++;
    }
    const batch = this.#waiting.splice(0, count);
    for (const write of batch) this.#waitingBytes -= write.bytes;
    return batch;
  }

  /** What came of each, all of it durable; `undefined` if the store was lost over it. */
  #transact(batch: readonly Write[]): CommitResult[] | undefined {
    try {
      this.#failpoint("store-begin");
      const timeMs = this.#now();
      this.#engine.begin(timeMs);
      const results = batch.map((write) => this.#decide(write, timeMs));
      this.#failpoint("store-write");
      this.#engine.commit();
      this.#failpoint("store-commit");
      return results;
    } catch (error) {
      this.#lose(batch, error);
      return undefined;
    }
  }

  /** Sees what those before it in the batch have written. */
  #decide(write: Write, timeMs: number): CommitResult {
    const { tenant, expect, append, put, remove, owner } = write;
    if (owner && !this.#claims.owns({ ...owner, tenant })) return { ok: false, reason: "fenced" };
    for (const { key, version, last, expired = false } of expect) {
      const row = this.#engine.get(tenant, key);
      const there = row && isExpired(row, timeMs) === expired ? row.version : 0;
      const from = last === undefined ? {} : { last: this.#engine.lastVersion(tenant, key) };
      if (there !== version || from.last !== last)
        return { ok: false, reason: "conflict", key, version: there, ...from };
    }
    write.trim?.();
    const firstSeq =
      append.length > 0 ? this.#engine.append(tenant, append) : this.#engine.lastSeq(tenant) + 1;
    const versions = put.map((row) => this.#engine.put(tenant, row));
    for (const key of remove) this.#engine.remove(tenant, key);
    for (const open of write.opens) this.#claims.opened(open);
    if (write.own) this.#claims.own({ tenant, ...write.own });
    for (const execution of write.ends) this.#claims.ended({ tenant, execution });
    return { ok: true, firstSeq, timeMs, versions };
  }

  #lose(batch: readonly Write[], cause: unknown): void {
    const { name } = this.#engine;
    const error = new StoreError(
      `cannot write to ${name}: ${messageOf(cause)}; nothing is acknowledged any more, so see to it and start again`,
      { cause },
    );
    this.#gone = error;
    for (const tenant of this.#watchers.keys()) this.#hint(tenant);
    for (const write of [...batch, ...this.#waiting]) write.reject(error);
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#closing) this.#letGo();
    this.#onLost?.(error);
  }

  /** Each by itself: what one of them throws takes nothing from the others. */
  #hint(tenant: string): void {
    const watchers = this.#watchers.get(tenant);
    for (const watcher of watchers ?? []) queueMicrotask(() => watchers?.has(watcher) && watcher());
  }

  #now(): number {
    return this.#time.at({ wallMs: this.#clock.wallTime(), monotonicMs: this.#clock.now() });
  }

  #read<T>(read: () => T): T {
    if (this.#gone) throw this.#gone;
    try {
      return read();
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new StoreError(`cannot read ${this.#engine.name}: ${messageOf(error)}`, { cause: error });
    }
  }

  #findOpen(): void {
    const query = { prefix: OPEN, limit: Number.MAX_SAFE_INTEGER, timeMs: 0 };
    for (let from: number | undefined = 0; from !== undefined;) {
      const { tenants, next }: ReturnType<StoreEngine["tenants"]> = this.#engine.tenants(from);
      for (const { tenant } of tenants) {
        for (const row of this.#engine.scan(tenant, query))
          this.#claims.opened(openExecution(tenant, entryOf(row)));
      }
      from = next;
    }
  }
}

/** Throws for what cannot be kept as it is. */
function writeOf(tenant: string, commit: Commit, answer: Pick<Write, "resolve" | "reject">): Write {
  const { expect = [], append = [], put = [], remove = [], owner, own } = commit;
  let bytes = WRITE_BYTES;
  const text = (value: Json): string => {
    const json = storedText(value);
    bytes += json.length;
    return json;
  };
  refuseIllFormed([tenant, ...put.map(({ key }) => key)]);
  const write = {
    tenant,
    expect,
    append: append.map((record) => ({ record, payload: text(record.payload) })),
    put: put.map((entry) => ({ ...entry, value: text(entry.value) })),
    remove,
    owner,
    own,
    opens: put.filter(({ key }) => key.startsWith(OPEN)).map((entry) => openExecution(tenant, entry)),
    ends: remove.filter((key) => key.startsWith(OPEN)).map(executionOf),
    records: append.length + put.length + remove.length,
    ...answer,
  };
  for (const { key } of put) bytes += key.length;
  return { ...write, bytes };
}

const isExpired = ({ expiresAtMs }: EntryRow, timeMs: number): boolean =>
  expiresAtMs !== undefined && expiresAtMs <= timeMs;

const entryOf = (row: EntryRow): Entry => ({ ...row, value: JSON.parse(row.value) as Json });

const recordOf = (tenant: string, row: LogRow): LogRecord => ({
  ...row,
  tenant,
  payload: JSON.parse(row.payload) as Json,
});

function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** After timers and sockets where the platform can say that, otherwise soon. */
const laterTurn: (run: () => void) => void =
  typeof setImmediate === "function" ? (run) => void setImmediate(run) : (run) => void setTimeout(run, 0);
