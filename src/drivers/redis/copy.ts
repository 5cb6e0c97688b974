// A namespace in Redis as one end of a migration. Rows are written by scripts, each part with how far its tenant has come, at once or not
// at all; a part that may have been written is not sent again by itself, since a migration that is run again finds out. Who uses the
// namespace is seen by what runtimes listen to, by their leases, and by their entries in the registry.
import type { Json } from "../../core/json.ts";
import { OPEN, openExecution } from "../../core/claims.ts";
import { keyOf } from "../../core/key.ts";
import { StoreError } from "../../errors.ts";
import {
  type CopiedRows,
  type CopyMark,
  type CopyPosition,
  positionOf,
  positionText,
  type RemovedRow,
  type StoreTarget,
  type TenantHead,
} from "../../ports/store-copy.ts";
import type { EntryRow, LogRow } from "../../ports/store-engine.ts";
import { SYSTEM_TENANT } from "../../ports/store.ts";
import type { Answer, Reply } from "./connection.ts";
import {
  copyMarkKey,
  parseEntry,
  parseRecord,
  partsOfRecord,
  type RecordReply,
  recordText,
  runtimesChannel,
  tenantBase,
  tenantMember,
  tenantsKey,
} from "./layout.ts";
import type { RedisLink } from "./link.ts";
import { scriptsOf } from "./script.ts";
import { listedTenants } from "./tenants.ts";

const CLEARED_AT_ONCE = 1_000;

/** ARGV: token. Gives how far the tenant has come. What is there and has no position any more is done: a migration was about to end. */
const RESUME = `#!lua flags=
local head = KEYS[1]
local copy = string.sub(head, 1, -5) .. "copy"
local at = redis.call("HGET", copy, "at") or (redis.call("EXISTS", head) == 1 and "done " or "records ")
redis.call("HSET", copy, "token", ARGV[1], "at", at)
return at
`;

/** ARGV: token, from where, up to where, last sequence number, milliseconds, floor of versions, then the rows. */
const write = (rows: string): string => `#!lua flags=
local call = redis.call
local head = KEYS[1]
local base = string.sub(head, 1, -5)
local at = call("HMGET", base .. "copy", "token", "at")
if at[1] ~= ARGV[1] or at[2] ~= ARGV[2] then return "another" end
${rows}
call("HSET", head, "ms", ARGV[5])
if ARGV[4] ~= "0" then call("HSET", head, "seq", ARGV[4]) end
if ARGV[6] ~= "0" then call("HSET", head, "floor", ARGV[6]) end
call("HSET", base .. "copy", "at", ARGV[3])
return "ok"
`;

const TEXTS = {
  resume: RESUME,
  /** Sequence number, milliseconds, id, execution or nothing, rest. */
  records: write(`
for i = 7, #ARGV, 5 do
  call("XADD", base .. "log", ARGV[i] .. "-0", "i", ARGV[i + 2], "m", ARGV[i + 1], "r", ARGV[i + 4])
  if ARGV[i + 3] ~= "" then call("RPUSH", base .. "of:" .. ARGV[i + 3], ARGV[i]) end
end
if #ARGV > 6 then call("HSET", head, "id", ARGV[#ARGV - 2]) end`),
  /** Key, when it expires or nothing, what is kept, execution that it opens or nothing, its definition. */
  entries: write(`
for i = 7, #ARGV, 5 do
  call("HSET", base .. "entries", ARGV[i], ARGV[i + 2])
  call("ZADD", base .. "keys", 0, ARGV[i])
  if ARGV[i + 1] ~= "" then call("ZADD", base .. "expiry", ARGV[i + 1], ARGV[i]) end
  if ARGV[i + 3] ~= "" then
    call("HSET", base .. "open", ARGV[i + 3], string.rep("-", 32) .. " " .. ARGV[i + 4])
    call("ZADD", base .. "free", 0, ARGV[i + 4] .. "\\0" .. ARGV[i + 3])
  end
end`),
  /** Key, version. */
  removed: write(`
for i = 7, #ARGV, 2 do call("ZADD", base .. "removed", ARGV[i + 1], ARGV[i]) end`),
  /** Gives how many executions are somebody's, and how many entries are going to expire. */
  used: `#!lua flags=no-writes
local base = string.sub(KEYS[1], 1, -5)
local clock = redis.call("TIME")
local ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
return {redis.call("ZCOUNT", base .. "held", ms, "+inf"), redis.call("ZCOUNT", base .. "expiry", ms, "+inf")}
`,
};

export interface RedisCopyOptions {
  link: RedisLink;
  namespace: string;
  url: string;
}

export function redisCopy(options: RedisCopyOptions): StoreTarget {
  return new RedisCopy(options);
}

class RedisCopy implements StoreTarget {
  readonly url: string;
  readonly name: string;
  readonly #link: RedisLink;
  readonly #namespace: string;
  readonly #scripts = scriptsOf(TEXTS);
  readonly #token = crypto.randomUUID();

  constructor({ link, namespace, url }: RedisCopyOptions) {
    this.url = url;
    this.name = `${link.name}, namespace ${namespace},`;
    this.#link = link;
    this.#namespace = namespace;
  }

  async user(): Promise<string | undefined> {
    const channel = runtimesChannel(this.#namespace);
    const answers = await this.#link.send(["PUBSUB", "NUMSUB", channel]);
    // Who may not ask goes by the rest.
    const listening = answers.type === "reply" ? Number((answers.reply as readonly Reply[])[1]) : 0;
    if (listening > 0) return `${listening} running ${listening === 1 ? "runtime uses" : "runtimes use"} it`;
    for await (const names of this.#listed()) {
      const found = await Promise.all(names.map((tenant) => this.#run("used", tenant, [])));
      for (const [index, counts] of found.entries()) {
        const [held, expiring] = counts as readonly number[];
        if (held) return "the lease of an execution there has not run out yet";
        if (names[index] === SYSTEM_TENANT && expiring)
          return "the registry there has an instance that has not expired yet";
      }
    }
    return undefined;
  }

  async heads(): Promise<readonly TenantHead[]> {
    const heads: TenantHead[] = [];
    for await (const names of this.#listed()) {
      const found = await Promise.all(
        names.map(async (tenant): Promise<TenantHead[]> => {
          const base = this.#base(tenant);
          const asked = [this.#send(["HMGET", `${base}head`, "seq", "ms", "floor"], `${base}head`)];
          const [head, events] = await Promise.all([
            ...asked,
            this.#send(["XLEN", `${base}log`], `${base}log`),
          ]);
          const [seq, ms, floor] = head as readonly Reply[];
          // Listed before it was written to, and perhaps never was.
          if (ms === null) return [];
          const numbers = { events: Number(events), lastSeq: Number(seq ?? 0), timeMs: Number(ms) };
          return [{ tenant, ...numbers, versionFloor: Number(floor ?? 0) }];
        }),
      );
      heads.push(...found.flat());
    }
    return heads;
  }

  async read<Step extends CopiedRows["step"]>(
    tenant: string,
    { step, after, limit }: { step: Step; after: string; limit: number },
  ): Promise<CopiedRows & { step: Step; after?: string }> {
    const page: CopiedRows = await this.#page(tenant, { step, after, limit });
    const last = page.rows.at(-1);
    const isEnd = last === undefined || page.rows.length < limit;
    const next = (): string => {
      if (step === "removed") return String(Number(after) + limit);
      return step === "records" ? String((last as LogRow).seq) : (last as EntryRow).key;
    };
    return { ...page, ...(!isEnd && { after: next() }) } as CopiedRows & { step: Step; after?: string };
  }

  async mark(): Promise<CopyMark | undefined> {
    const key = copyMarkKey(this.#namespace);
    const text = await this.#send(["GET", key], key);
    return typeof text === "string" ? (JSON.parse(text) as CopyMark) : undefined;
  }

  async begin(mark: CopyMark): Promise<void> {
    const key = copyMarkKey(this.#namespace);
    await this.#send(["SET", key, JSON.stringify(mark)], key);
  }

  async resume(tenant: string): Promise<CopyPosition> {
    const key = tenantsKey(this.#namespace);
    await this.#send(["ZADD", key, "0", tenantMember(tenant)], key);
    return positionOf(String(await this.#run("resume", tenant, [this.#token])));
  }

  async write(
    { tenant, lastSeq, timeMs, versionFloor }: TenantHead,
    { from, to, rows }: Parameters<StoreTarget["write"]>[1],
  ): Promise<void> {
    const positions = [positionText(from), positionText(to)];
    const head = [lastSeq, timeMs, versionFloor].map(String);
    const words = [this.#token, ...positions, ...head].concat(wordsOf(tenant, rows));
    if ((await this.#run(rows.step, tenant, words)) !== "ok")
      throw new StoreError(`cannot write to ${this.name} another migration goes on with it`);
  }

  async clear(): Promise<void> {
    const all = tenantsKey(this.#namespace);
    for await (const names of this.#listed())
      for (const tenant of names) {
        await this.#clearTenant(tenant);
        await this.#send(["ZREM", all, tenantMember(tenant)], all);
      }
  }

  async finish(): Promise<void> {
    for await (const names of this.#listed()) {
      const keys = names.map((tenant) => `${this.#base(tenant)}copy`);
      await Promise.all(keys.map((key) => this.#send(["UNLINK", key], key)));
    }
    const key = copyMarkKey(this.#namespace);
    await this.#send(["UNLINK", key], key);
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /** Its log goes last: it says which lists there are. */
  async #clearTenant(tenant: string): Promise<void> {
    const base = this.#base(tenant);
    for (let after = ""; ;) {
      const page = await this.read(tenant, { step: "records", after, limit: CLEARED_AT_ONCE });
      const rows = page.rows as readonly LogRow[];
      const executions = new Set(rows.flatMap(({ execution }) => execution ?? []));
      const lists = [...executions].map((execution) => `${base}of:${keyOf(execution)}`);
      if (lists.length > 0) await this.#send(["UNLINK", ...lists], `${base}head`);
      if (page.after === undefined) break;
      after = page.after;
    }
    const kinds = ["entries", "keys", "expiry", "removed", "open", "free", "held", "log", "head", "copy"];
    await this.#send(["UNLINK", ...kinds.map((kind) => base + kind)], `${base}head`);
  }

  async #page(
    tenant: string,
    { step, after, limit }: { step: CopiedRows["step"]; after: string; limit: number },
  ): Promise<CopiedRows> {
    const base = this.#base(tenant);
    const send = (...words: string[]) => this.#send(words, `${base}head`);
    if (step === "records") {
      const from = `${Number(after) + 1}-0`;
      const found = await send("XRANGE", `${base}log`, from, "+", "COUNT", String(limit));
      return { step, rows: (found as readonly RecordReply[]).map(logRow) };
    }
    if (step === "removed") {
      const range = [after === "" ? "0" : after, String(Number(after) + limit - 1)];
      const found = await send("ZRANGE", `${base}removed`, ...range, "WITHSCORES");
      return { step, rows: removedRows(found as readonly string[]) };
    }
    const bounds = [after === "" ? "-" : `(${after}`, "+", "LIMIT", "0", String(limit)];
    const keys = (await send("ZRANGEBYLEX", `${base}keys`, ...bounds)) as readonly string[];
    const texts = keys.length === 0 ? [] : await send("HMGET", `${base}entries`, ...keys);
    const rows = keys.map((key, index) => entryRow(key, String((texts as readonly Reply[])[index])));
    return { step, rows };
  }

  #listed(): AsyncGenerator<string[]> {
    return listedTenants(this.#namespace, (words, key) => this.#send(words, key));
  }

  #base(tenant: string): string {
    return tenantBase(this.#namespace, tenant);
  }

  async #run(script: keyof typeof TEXTS, tenant: string, args: readonly string[]): Promise<Reply> {
    return this.#replied(await this.#link.run(this.#scripts[script], `${this.#base(tenant)}head`, args));
  }

  async #send(words: readonly string[], key: string): Promise<Reply> {
    return this.#replied(await this.#link.send(words, { key }));
  }

  #replied(answer: Answer): Reply {
    if (answer.type === "reply") return answer.reply;
    throw new StoreError(`cannot use ${this.name} ${answer.message}`);
  }
}

function logRow(reply: RecordReply): LogRow {
  const { rest, ...placed } = partsOfRecord(reply);
  return { ...placed, ...parseRecord(rest) } as LogRow;
}

function entryRow(key: string, text: string): EntryRow {
  const { json, ...row } = parseEntry(text);
  return { key, value: json, ...row };
}

const removedRows = (flat: readonly string[]): RemovedRow[] =>
  Array.from({ length: flat.length / 2 }, (_, index) => ({
    key: flat[2 * index] ?? "",
    version: Number(flat[2 * index + 1]),
  }));

/** The rows as the script of their kind takes them. */
function wordsOf(tenant: string, { step, rows }: CopiedRows): string[] {
  if (step === "removed") return rows.flatMap(({ key, version }) => [key, String(version)]);
  if (step === "records")
    return rows.flatMap((row) => {
      const execution = row.execution === undefined ? "" : keyOf(row.execution);
      return [String(row.seq), String(row.timeMs), row.id, execution, recordText(row)];
    });
  return rows.flatMap(({ key, version, value, expiresAtMs }) => {
    const expires = expiresAtMs === undefined ? "" : String(expiresAtMs);
    const isOpen = key.startsWith(OPEN);
    const open = isOpen && openExecution(tenant, { key, value: JSON.parse(value) as Json });
    const opened = open ? [keyOf(open.execution), keyOf(open.definition)] : ["", ""];
    return [key, expires, `${version} ${expires} ${value}`, ...opened];
  });
}
