// Moves all tenants of one store to another, empty one, a part at a time, and looks at both when all is there. The target says from
// the beginning to the end that it is unfinished, and how far it has come, so that a migration that was cut off is gone on with, and
// nobody takes half a store for a whole one. The source is only read.
//
//   empty ─▶ marked ─▶ part by part ─▶ both hashed: equal ─▶ the mark goes ─▶ a store
//               ▲          │ cut off                └─ not equal ─▶ begun anew by the next one
//               └──────────┘ the source is what it was, else everything is taken out first
import type { Json } from "../core/json.ts";
import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import { withoutPassword } from "../config/store-url.ts";
import { systemClock } from "../drivers/clock.ts";
import { failpointOf } from "../drivers/failpoint.ts";
import { StoreError, UsageError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Failpoint } from "../ports/failpoint.ts";
import { SYSTEM_TENANT } from "../ports/store.ts";
import {
  type CopiedRows,
  type CopyPosition,
  type StoreSource,
  type StoreTarget,
  type TenantHead,
  unfinishedText,
} from "../ports/store-copy.ts";
import { type LastingStore, openCopy, type OpenCopyOptions } from "./open-copy.ts";
import { storeAt } from "./store-at.ts";
import { stateHash } from "./store-report.ts";

const ROWS_MAX = 1_000;
/** So that small ones share the syncs of a Redis. */
const TENANTS_AT_ONCE = 16;
/** A part with more than that is followed by a smaller one. */
const PART_BYTES = 1024 * 1024;

export interface MigrateOptions {
  clock: Clock;
  failpoint: Failpoint;
  /** Told after each part. */
  onProgress: (progress: Progress) => void;
}

export interface Progress {
  doing: "copying" | "checking";
  /** Of the records of all tenants. */
  events: number;
  of: number;
}

export type Migration =
  | { type: "migrated"; events: number; hash: { from: string; to: string } }
  /** What the target holds is not of this migration, or has not become what the source holds. */
  | { type: "refused"; reason: string };

/**
 * Throws `UsageError` for URLs that are none, or the same, and `StoreError` for a store that cannot be had, or is used by somebody. The
 * failpoint is what `HARAKA_FAILPOINT` says.
 */
export async function migrateBetween(
  urls: { from: string; to: string },
  options: { cwd: string } & Pick<OpenCopyOptions, "onWarning"> & Pick<MigrateOptions, "onProgress">,
): Promise<Migration> {
  const [source, target] = [lastingStore(urls.from, options), lastingStore(urls.to, options)];
  if (isDeepStrictEqual(source, target))
    throw new UsageError("cannot migrate a store to itself: name another one with --to");
  const failpoint = failpointOf(process.env["HARAKA_FAILPOINT"]);
  const given = { ...options, clock: systemClock(), failpoint };
  const from = await openCopy(source, { ...given, as: "source" });
  try {
    await refuseUnfinished(from);
    const to = await openCopy(target, { ...given, as: "target" });
    try {
      return await migrateStore({ from, to }, given);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

function lastingStore(url: string, { cwd }: { cwd: string }): LastingStore {
  const store = storeAt(url, { cwd });
  if (store && store.driver !== "memory") return store;
  throw new UsageError(
    `cannot migrate '${withoutPassword(url)}': it is sqlite:PATH or redis://HOST:PORT/DATABASE?namespace=NAME`,
  );
}

/** Rejects with `StoreError` when one of the two is used by somebody, or cannot be had any more. */
async function migrateStore(
  { from, to }: { from: StoreSource; to: StoreTarget },
  options: MigrateOptions,
): Promise<Migration> {
  await refuseUsed(from);
  const heads = await headsOf(from);
  const print = printOf(heads);
  const refusal = await begin(to, { from: from.url, print });
  if (refusal !== undefined) return { type: "refused", reason: refusal };
  options.failpoint("migrate-begun");
  const total = heads.reduce((sum, { events }) => sum + events, 0);
  const copied = { doing: "copying" as const, events: 0, of: total };
  const onEvents = (events: number): void => {
    copied.events += events;
    options.onProgress(copied);
  };
  const left = heads.values();
  const copyOn = async (): Promise<void> => {
    for (const head of left) await copyTenant(head, { from, to, failpoint: options.failpoint, onEvents });
  };
  await Promise.all(Array.from({ length: TENANTS_AT_ONCE }, copyOn));
  options.failpoint("migrate-copied");
  // Whatever was written meanwhile would be missing.
  await refuseUsed(from);
  const atMs = options.clock.wallTime();
  const seen = (store: string, events: number) =>
    options.onProgress({
      doing: "checking",
      events: (store === from.url ? 0 : total) + events,
      of: 2 * total,
    });
  const there = await look(from, { atMs, onEvents: (events) => seen(from.url, events) });
  const here = await look(to, { atMs, onEvents: (events) => seen(to.url, events) });
  const isSame = there.hash === here.hash && there.whole === here.whole && there.print === here.print;
  if (!isSame || there.print !== print) {
    // Of nothing that there could be: the next one begins anew. Where another migration has ended meanwhile, it is somebody's store.
    if (await to.mark()) await to.begin({ from: from.url, to: to.url, print: "" });
    const why = there.print === print ? "" : ", which was written to meanwhile";
    const reason = `cannot migrate to ${to.name}: it is not the same as ${from.name}${why}; run it again, it begins anew`;
    return { type: "refused", reason };
  }
  await to.finish();
  return { type: "migrated", events: here.events, hash: { from: there.hash, to: here.hash } };
}

/** Marks the target; resolves with why it cannot be had for this. */
async function begin(
  target: StoreTarget,
  { from, print }: { from: string; print: string },
): Promise<string | undefined> {
  const mark = await target.mark();
  const present = await headsOf(target);
  if (!mark && present.length > 0) {
    const events = present.reduce((sum, head) => sum + head.events, 0);
    return `cannot migrate to ${target.name}: it is not empty, it has ${counted(present.length, "tenant")} with ${counted(events, "event")}; name an empty one`;
  }
  const isSame = mark?.print === print;
  if (mark && !isSame && mark.from !== from)
    return `cannot migrate to ${target.name}: it is the unfinished target of a migration from ${mark.from}; finish that one, or name another target`;
  if (!mark) {
    await target.begin({ from, to: target.url, print });
    // Who came before the mark is seen now, and who comes after it sees the mark.
    const user = await target.user();
    if (user === undefined) return undefined;
    await target.finish();
    throw used(target, user);
  }
  await refuseUsed(target);
  if (!isSame) await target.clear();
  await target.begin({ from, to: target.url, print });
  return undefined;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

async function refuseUnfinished(source: StoreTarget): Promise<void> {
  const mark = await source.mark();
  if (mark) throw new StoreError(`cannot migrate ${source.name}: ${unfinishedText(mark)}`);
}

async function refuseUsed(store: StoreSource): Promise<void> {
  const user = await store.user();
  if (user !== undefined) throw used(store, user);
}

const used = ({ name }: StoreSource, user: string): StoreError =>
  new StoreError(`cannot migrate ${name}: ${user}; stop whatever uses it first`);

/** As they are hashed, without what belongs to none: that comes and goes with the runtimes. */
async function headsOf(store: StoreSource): Promise<readonly TenantHead[]> {
  const heads = (await store.heads()).filter(({ tenant }) => tenant !== SYSTEM_TENANT);
  return heads.toSorted((a, b) => (a.tenant < b.tenant ? -1 : 1));
}

/** Another one after whatever is written. */
function printOf(heads: readonly TenantHead[]): string {
  const hash = sha256();
  for (const { tenant, events, lastSeq, timeMs, versionFloor } of heads)
    hash.update(`${JSON.stringify([tenant, events, lastSeq, timeMs, versionFloor])}\n`);
  return hash.digest("hex");
}

function sha256() {
  return process.getBuiltinModule("node:crypto").createHash("sha256");
}

interface CopyOptions {
  from: StoreSource;
  to: StoreTarget;
  failpoint: Failpoint;
  /** Told how many more are there. */
  onEvents: (events: number) => void;
}

async function copyTenant(head: TenantHead, { from, to, failpoint, onEvents }: CopyOptions): Promise<void> {
  let limit = ROWS_MAX;
  /** The next that has any rows: a part costs the target a sync. */
  const partFrom = async (at: CopyPosition): Promise<Part | undefined> => {
    for (let { step, after } = at; step !== "done"; [step, after] = [NEXT[step], ""]) {
      const page = await from.read(head.tenant, { step, after, limit });
      limit = nextLimit(limit, page);
      if (page.rows.length === 0) continue;
      const isMore = page.after !== undefined;
      const rest = { step: isMore ? step : NEXT[step], after: page.after ?? "" };
      return { at: { step, after }, rows: page, rest };
    }
    return undefined;
  };
  let at = await to.resume(head.tenant);
  onEvents(eventsBefore(head, at));
  for (let part = await partFrom(at); at.step !== "done";) {
    const next = part && (await partFrom(part.rest));
    const then = next?.at ?? DONE;
    await to.write(head, { from: at, to: then, rows: part?.rows ?? NOTHING });
    failpoint("migrate-part");
    if (part?.rows.step === "records") onEvents(part.rows.rows.length);
    [at, part] = [then, next];
  }
}

/** Of a tenant that has come so far. */
function eventsBefore({ events, lastSeq }: TenantHead, { step, after }: CopyPosition): number {
  if (step !== "records") return events;
  return after === "" ? 0 : events - (lastSeq - Number(after));
}

interface Part {
  at: CopyPosition;
  rows: CopiedRows;
  rest: CopyPosition;
}

const NEXT = { records: "entries", entries: "removed", removed: "done" } as const;
const DONE: CopyPosition = { step: "done", after: "" };
const NOTHING: CopiedRows = { step: "records", rows: [] };

/** So that rows of any size are few enough to be held at once. */
function nextLimit(limit: number, page: CopiedRows): number {
  let bytes = 0;
  if (page.step === "records") for (const { payload } of page.rows) bytes += payload.length;
  if (page.step === "entries") for (const { value } of page.rows) bytes += value.length;
  if (bytes > PART_BYTES) return Math.max(1, Math.floor((limit * PART_BYTES) / bytes));
  return Math.min(ROWS_MAX, 2 * limit);
}

interface Look {
  events: number;
  /** That of `haraka store hash` at that moment. */
  hash: string;
  /** Of what can be seen only later, too: what has expired, and the versions of what was removed. */
  whole: string;
  print: string;
}

async function look(
  store: StoreSource,
  { atMs, onEvents }: { atMs: number; onEvents: (events: number) => void },
): Promise<Look> {
  const heads = await headsOf(store);
  const [hash, whole] = [stateHash(), sha256()];
  let events = 0;
  for (const { tenant } of heads) {
    hash.tenant(tenant);
    const removed: string[] = [];
    for await (const page of pagesOf(store, tenant)) {
      if (page.step === "records") {
        for (const { payload, ...row } of page.rows)
          hash.record({ ...row, tenant, payload: JSON.parse(payload) as Json });
        onEvents((events += page.rows.length));
      } else if (page.step === "entries") {
        for (const { value, ...row } of page.rows) {
          if ((row.expiresAtMs ?? Infinity) > atMs) hash.entry({ ...row, value: JSON.parse(value) as Json });
          whole.update(`${JSON.stringify([tenant, row.key, row.version, row.expiresAtMs, value])}\n`);
        }
      } else removed.push(...page.rows.map(({ key, version }) => JSON.stringify([tenant, key, version])));
    }
    // Each store has them in an order of its own.
    whole.update(removed.toSorted().join("\n"));
  }
  return { ...hash.end(), whole: whole.digest("hex"), print: printOf(heads) };
}

async function* pagesOf(store: StoreSource, tenant: string): AsyncGenerator<CopiedRows> {
  for (const step of ["records", "entries", "removed"] as const) {
    let limit = ROWS_MAX;
    for (let from: string | undefined = ""; from !== undefined;) {
      const page: CopiedRows & { after?: string } = await store.read(tenant, { step, after: from, limit });
      yield page;
      limit = nextLimit(limit, page);
      from = page.after;
    }
  }
}
