// Versioned values of one tenant by namespace and key. A write and its record land together; a watch is read from the log, so it
// misses nothing. A value that has expired is not there, whether or not somebody has removed it yet.
import { isPlaneEvent, type StateEvent } from "../core/plane-event.ts";
import { keyOf, partsOf } from "../core/key.ts";
import { stateKey } from "../core/plane-fold.ts";
import { PlaneError } from "../errors.ts";
import type { StateChange, StateEntry, StateSurface } from "../ports/plane.ts";
import type { Entry, LogRecord } from "../ports/store.ts";
import {
  jsonCopy,
  nameProblem,
  numberProblem,
  pageOf,
  partProblem,
  type PlaneLimits,
  refuse,
} from "./limits.ts";
import type { LogHubs } from "./log-hub.ts";
import { collectPage } from "./page.ts";
import { refusePosition } from "./wal.ts";
import { refuseStale, type Writer } from "./writer.ts";

export interface StateSurfaceOptions {
  tenant: string;
  writer: Writer;
  hubs: LogHubs;
  limits: PlaneLimits;
}

/** A hundred years: nobody waits for more, and sums of times stay whole numbers. */
const TTL_MS_MAX = 3_155_760_000_000;

export function stateSurfaceOf(options: StateSurfaceOptions): StateSurface {
  return { ...valuesOf(options), ...listsOf(options) };
}

function valuesOf({
  tenant,
  writer,
  limits,
}: StateSurfaceOptions): Pick<StateSurface, "get" | "put" | "delete"> {
  const namesIn = (namespace: string, key: string) => [
    nameProblem("namespace", namespace, limits),
    nameProblem("key", key, limits),
  ];
  return {
    async get(namespace, key) {
      refuse("get the state", namesIn(namespace, key));
      const [entry] = await writer.store.get(tenant, [stateKey(namespace, key)]);
      return entry && viewOf(entry);
    },

    async put(namespace, key, { value, ttlMs, ifVersion }) {
      const { json, problem } = jsonCopy("value", value, limits);
      refuse("put the state", [
        ...namesIn(namespace, key),
        problem,
        numberProblem("ttlMs", ttlMs, { max: TTL_MS_MAX }),
        numberProblem("ifVersion", ifVersion, { min: 0 }),
      ]);
      const { before, after } = await writer.update({
        tenant,
        key: stateKey(namespace, key),
        timed: ttlMs !== undefined,
        decide: ({ entry, timeMs, version }) => {
          refuseStale("put the state", entry, ifVersion);
          const expiry = ttlMs === undefined ? {} : { expiresAtMs: timeMs + ttlMs };
          const payload = { namespace, key, value: json ?? null, version, ...expiry };
          return { event: { type: "state_written", payload } };
        },
      });
      if (!after) throw new Error("internal: a value was written, and is not there");
      return { ...viewOf(after), created: before === undefined };
    },

    async delete(namespace, key, { ifVersion } = {}) {
      refuse("delete the state", [
        ...namesIn(namespace, key),
        numberProblem("ifVersion", ifVersion, { min: 0 }),
      ]);
      await writer.update({
        tenant,
        key: stateKey(namespace, key),
        decide: ({ entry }) => {
          if (!entry) throw new PlaneError("not-found", "cannot delete the state: there is none of this key");
          refuseStale("delete the state", entry, ifVersion);
          return { event: { type: "state_deleted", payload: { namespace, key, version: entry.version } } };
        },
      });
    },
  };
}

function listsOf({
  tenant,
  writer,
  hubs,
  limits,
}: StateSurfaceOptions): Pick<StateSurface, "list" | "watch"> {
  return {
    async list(namespace, { prefix = "", after, limit } = {}) {
      refuse("list the state", [
        nameProblem("namespace", namespace, limits),
        partProblem("prefix", prefix, limits),
        partProblem("after", after, limits),
      ]);
      const base = `${keyOf("state", namespace)}/`;
      const { items, next } = await collectPage(
        {
          limit: pageOf(limit, limits),
          read: async (position: string | undefined, count) => {
            const query = { prefix: base + keyOf(prefix), limit: count };
            const behind = position === undefined ? query : { ...query, after: position };
            return (await writer.store.scan(tenant, behind)).items;
          },
          positionOf: (entry) => entry.key,
          pick: async (entries) => entries.map(viewOf),
          payloadOf: (entry: StateEntry) => entry.value,
        },
        after === undefined ? undefined : base + keyOf(after),
      );
      return next === undefined ? { items } : { items, cursor: namesOf(next).key };
    },

    watch(namespace, { after, signal }) {
      refuse("watch the state", [nameProblem("namespace", namespace, limits)]);
      if (after !== undefined) refusePosition(after);
      // Asked for now, not when the first change is: what is written from here on counts.
      const start = after === undefined ? writer.lastSeq(tenant) : Promise.resolve(after);
      start.catch(() => {});
      return changesOf(namespace, { start, follow: (from) => hubs.follow(tenant, { after: from, signal }) });
    },
  };
}

async function* changesOf(
  namespace: string,
  { start, follow }: { start: Promise<number>; follow: (after: number) => AsyncIterable<LogRecord> },
): AsyncGenerator<StateChange> {
  for await (const record of follow(await start)) {
    if (isPlaneEvent(record) && isOfState(record) && record.payload.namespace === namespace)
      yield changeIn(record);
  }
}

const TYPES = { state_written: "written", state_deleted: "deleted", state_expired: "expired" } as const;

const isOfState = <R extends { type: string }>(record: R): record is R & StateEvent => record.type in TYPES;

function changeIn(record: { seq: number } & StateEvent): StateChange {
  const { seq, type, payload } = record;
  const change = { seq, key: payload.key, type: TYPES[type], version: payload.version };
  return type === "state_written" ? { ...change, value: payload.value } : change;
}

function namesOf(storeKey: string): { namespace: string; key: string } {
  const [, namespace = "", key = ""] = partsOf(storeKey);
  return { namespace, key };
}

function viewOf({ key, value, version, expiresAtMs }: Entry): StateEntry {
  return { ...namesOf(key), value, version, ...(expiresAtMs !== undefined && { expiresAtMs }) };
}
