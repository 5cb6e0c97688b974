// The store in Redis, shared by all replicas that use one namespace: what is read, what is watched, and what joins the parts that write
// and own. Whether something has expired is judged by the server's time, and what was seen expired stays so for this process. It needs
// no clock of its own.
import type { Json } from "../../core/json.ts";
import { keyOf, LAST } from "../../core/key.ts";
import { StoreError } from "../../errors.ts";
import type { Entry, LogRecord, Page, Store } from "../../ports/store.ts";
import type { Answer, Reply } from "./connection.ts";
import { parseEntry, partsOfRecord, type RecordReply, tenantBase } from "./layout.ts";
import type { RedisLink } from "./link.ts";
import type { RedisScript } from "./script.ts";
import { listedTenants } from "./tenants.ts";
import type { RedisWrites } from "./writes.ts";

const KEYS_AT_ONCE = 1_000;
const TRIMMED_AT_ONCE = 256;
const QUIET_MAX = 64;

export interface RedisStoreOptions {
  link: RedisLink;
  writes: RedisWrites;
  scripts: Record<"get" | "scan" | "logOf" | "trim" | "expiry", RedisScript>;
  namespace: string;
}

export function redisStore(options: RedisStoreOptions): Store & ListedTenants {
  return new RedisStore(options);
}

export interface ListedTenants {
  /** All tenants that may have something, a helping at a time. */
  listed(): AsyncIterable<readonly string[]>;
}

class RedisStore implements Store, ListedTenants {
  readonly #link: RedisLink;
  readonly #writes: RedisWrites;
  readonly #scripts: RedisStoreOptions["scripts"];
  readonly #namespace: string;
  readonly #watchers = new Map<string, Set<() => void>>();
  /** Ends listening for what others append to a tenant's log. */
  readonly #deafen = new Map<string, () => void>();
  /** Those that nobody watches and that are listened to all the same, the longest first. */
  readonly #quiet = new Set<string>();
  /** The latest of the server's times that was seen. */
  #timeMs = 0;
  /** Under way. */
  readonly #reads = new Set<Promise<Answer>>();
  #closing: Promise<void> | undefined;

  constructor({ link, writes, scripts, namespace }: RedisStoreOptions) {
    this.#link = link;
    this.#writes = writes;
    this.#scripts = scripts;
    this.#namespace = namespace;
    writes.onWritten((tenant) => this.#hint(tenant));
    link.onChange((problem) => {
      if (problem) for (const tenant of this.#watchers.keys()) this.#hint(tenant);
    });
  }

  readonly commit: Store["commit"] = (tenant, commit) => this.#writes.commit(tenant, commit);

  async get(tenant: string, keys: readonly string[]): Promise<readonly (Entry | undefined)[]> {
    const found: (Entry | undefined)[] = [];
    for (let from = 0; from < keys.length; from += KEYS_AT_ONCE) {
      const some = keys.slice(from, from + KEYS_AT_ONCE);
      const [ms, texts] = (await this.#run("get", tenant, some)) as [Reply, readonly (string | null)[]];
      this.#see(ms);
      found.push(...texts.map((text, index) => this.#visible(some[index] ?? "", text)));
    }
    return found;
  }

  async scan(
    tenant: string,
    { prefix, after = "", limit }: { prefix: string; after?: string; limit: number },
  ): Promise<Page<Entry>> {
    const from = after !== "" && after >= prefix ? `(${after}` : `[${prefix}`;
    const upTo = prefix === "" ? "+" : `(${prefix}${LAST}`;
    const [ms, ...rows] = (await this.#run("scan", tenant, [from, upTo, String(limit + 1)])) as Reply[];
    this.#see(ms);
    const entries = pairsOf(rows).flatMap(([key, text]) => this.#visible(key, text) ?? []);
    const items = entries.slice(0, limit);
    const last = items.at(-1);
    return entries.length > limit && last ? { items, cursor: last.key } : { items };
  }

  async log(
    tenant: string,
    { after, limit, execution }: { after: number; limit: number; execution?: string },
  ): Promise<readonly LogRecord[]> {
    if (limit <= 0) return [];
    const key = `${tenantBase(this.#namespace, tenant)}log`;
    const found =
      execution === undefined
        ? await this.#send(["XRANGE", key, `${after + 1}-0`, "+", "COUNT", String(limit)], key)
        : await this.#run("logOf", tenant, [keyOf(execution), String(after), String(limit)]);
    return (found as readonly RecordReply[]).map((record) => recordOf(tenant, record));
  }

  watch(tenant: string, onWritten: () => void): () => void {
    const watchers = this.#watchers.get(tenant) ?? new Set();
    // Of its own, so that one function may watch twice.
    const watcher = (): void => onWritten();
    this.#watchers.set(tenant, watchers.add(watcher));
    this.#quiet.delete(tenant);
    if (!this.#deafen.has(tenant)) this.#listen(tenant);
    return () => {
      watchers.delete(watcher);
      if (watchers.size > 0 || this.#watchers.get(tenant) !== watchers) return;
      this.#watchers.delete(tenant);
      this.#hush(tenant);
    };
  }

  /** Nobody watches it just now. While these are few it is listened to all the same: who waits for one thing soon waits for the next. */
  #hush(tenant: string): void {
    this.#quiet.add(tenant);
    if (this.#quiet.size <= QUIET_MAX) return;
    const [oldest = tenant] = this.#quiet;
    this.#quiet.delete(oldest);
    this.#deafen.get(oldest)?.();
    this.#deafen.delete(oldest);
  }

  async tenants(): Promise<readonly { tenant: string; lastSeq: number }[]> {
    const all: { tenant: string; lastSeq: number }[] = [];
    for await (const names of this.listed()) {
      const heads = names.map((tenant) => `${tenantBase(this.#namespace, tenant)}head`);
      const found = await Promise.all(heads.map((head) => this.#send(["HMGET", head, "seq", "ms"], head)));
      for (const [index, tenant] of names.entries()) {
        const [seq, ms] = found[index] as readonly Reply[];
        // Listed before it was written to, and perhaps never was.
        if (ms !== null) all.push({ tenant, lastSeq: Number(seq ?? 0) });
      }
    }
    return all.sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
  }

  async expired(limit: number): Promise<readonly { tenant: string; entry: Entry }[]> {
    const due: { tenant: string; key: string; atMs: number }[] = [];
    for await (const names of this.listed()) {
      const found = await Promise.all(names.map((tenant) => this.#expiry(tenant, limit)));
      for (const [index, tenant] of names.entries())
        for (const [key, atMs] of found[index] ?? [])
          if (atMs <= this.#timeMs) due.push({ tenant, key, atMs });
    }
    const first = due.sort((a, b) => a.atMs - b.atMs).slice(0, limit);
    const entries = await Promise.all(
      first.map(async ({ tenant, key }) => {
        const hash = `${tenantBase(this.#namespace, tenant)}entries`;
        const text = await this.#send(["HGET", hash, key], hash);
        const entry = typeof text === "string" ? entryOf(key, text) : undefined;
        // It may have been written, or removed, meanwhile.
        return entry && (entry.expiresAtMs ?? Infinity) <= this.#timeMs ? [{ tenant, entry }] : [];
      }),
    );
    return entries.flat();
  }

  async expiresInMs(): Promise<number | undefined> {
    let firstMs = Infinity;
    for await (const names of this.listed())
      for (const [first] of await Promise.all(names.map((tenant) => this.#expiry(tenant, 1))))
        firstMs = Math.min(firstMs, first?.[1] ?? Infinity);
    return firstMs === Infinity ? undefined : Math.max(0, firstMs - this.#timeMs);
  }

  async trim(tenant: string, { throughSeq }: { throughSeq: number }): Promise<void> {
    for (;;) {
      const records = await this.log(tenant, { after: 0, limit: TRIMMED_AT_ONCE });
      const gone = records.filter(({ seq }) => seq <= throughSeq);
      const last = gone.at(-1);
      if (!last) return;
      const executions = new Set(gone.flatMap(({ execution }) => execution ?? []).map((name) => keyOf(name)));
      await this.#run("trim", tenant, [String(last.seq), ...executions]);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#writes
      .close()
      .then(() => Promise.all(this.#reads))
      .then(() => this.#link.close());
    return this.#closing;
  }

  /** What expires first, and when. */
  async #expiry(tenant: string, limit: number): Promise<readonly [key: string, atMs: number][]> {
    const [ms, ...rows] = (await this.#run("expiry", tenant, [String(limit)])) as Reply[];
    this.#see(ms);
    return pairsOf(rows).map(([key, atMs]) => [key, Number(atMs)]);
  }

  listed(): AsyncGenerator<string[]> {
    return listedTenants(this.#namespace, (words, key) => this.#send(words, key));
  }

  #listen(tenant: string): void {
    const channel = `${tenantBase(this.#namespace, tenant)}written`;
    const hear = (replica: string | undefined): void => {
      if (replica === undefined) void this.#hintIfMissed(tenant);
      else if (replica !== this.#writes.replica) this.#hint(tenant);
    };
    this.#deafen.set(tenant, this.#link.listen(channel, hear));
  }

  /** Others may have written before anybody listened. What this process has written since then has had its own hint. */
  async #hintIfMissed(tenant: string): Promise<void> {
    const key = `${tenantBase(this.#namespace, tenant)}head`;
    const answer = await this.#link.send(["HGET", key, "by"], { key });
    const isKnown =
      answer.type === "reply" && (answer.reply === null || answer.reply === this.#writes.replica);
    if (!isKnown) this.#hint(tenant);
  }

  /** Each by itself: what one of them throws takes nothing from the others. */
  #hint(tenant: string): void {
    const watchers = this.#watchers.get(tenant);
    for (const watcher of watchers ?? []) queueMicrotask(() => watchers?.has(watcher) && watcher());
  }

  #see(ms: Reply | undefined): void {
    this.#timeMs = Math.max(this.#timeMs, Number(ms ?? 0));
  }

  #visible(key: string, text: Reply): Entry | undefined {
    const entry = typeof text === "string" ? entryOf(key, text) : undefined;
    return entry && (entry.expiresAtMs ?? Infinity) > this.#timeMs ? entry : undefined;
  }

  #run(script: keyof RedisStoreOptions["scripts"], tenant: string, args: readonly string[]): Promise<Reply> {
    const head = `${tenantBase(this.#namespace, tenant)}head`;
    return this.#read(() => this.#link.run(this.#scripts[script], head, args));
  }

  #send(words: readonly string[], key: string): Promise<Reply> {
    return this.#read(() => this.#link.send(words, { key }));
  }

  async #read(ask: () => Promise<Answer>): Promise<Reply> {
    if (this.#link.problem) throw this.#link.problem;
    const asked = ask();
    this.#reads.add(asked);
    const answer = await asked;
    this.#reads.delete(asked);
    if (answer.type === "reply") return answer.reply;
    throw new StoreError(`cannot read ${this.#link.name}: ${answer.message}`);
  }
}

function recordOf(tenant: string, reply: RecordReply): LogRecord {
  const { rest, ...placed } = partsOfRecord(reply);
  const record = JSON.parse(rest) as Omit<LogRecord, "seq" | "id" | "tenant" | "timeMs">;
  return { ...placed, tenant, ...record };
}

function entryOf(key: string, text: string): Entry {
  const { json, ...entry } = parseEntry(text);
  return { key, value: JSON.parse(json) as Json, ...entry };
}

function pairsOf(flat: readonly Reply[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [
    String(flat[2 * index]),
    String(flat[2 * index + 1]),
  ]);
}
