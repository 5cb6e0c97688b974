// Reading the log of one tenant: by pages, filtered before they are limited, and as a tail that misses nothing and ends with its
// signal. It appends nothing.
import type { Wal, WalFilter } from "../ports/plane.ts";
import type { LogRecord, Page, Store } from "../ports/store.ts";
import { numberProblem, pageOf, type PlaneLimits, refuse } from "./limits.ts";
import { keptFrom, type LogHubs, refuseCompacted } from "./log-hub.ts";
import { collectPage } from "./page.ts";

export interface WalOptions {
  tenant: string;
  store: Store;
  hubs: LogHubs;
  limits: PlaneLimits;
}

export function walOf({ tenant, store, hubs, limits }: WalOptions): Wal {
  return {
    async read({ after: wanted, limit, ...filter } = {}) {
      const pageLimit = pageOf(limit, limits);
      refusePosition(wanted);
      const after = wanted ?? (await keptFrom(store, tenant));
      const matches = matcherOf(filter);
      const { execution } = filter;
      const { items, next } = await collectPage<LogRecord, LogRecord, number>(
        {
          limit: pageLimit,
          read: (position = 0, count) =>
            store.log(tenant, {
              after: position,
              limit: count,
              ...(execution !== undefined && { execution }),
            }),
          positionOf: ({ seq }) => seq,
          pick: async (records) => records.map((record) => (matches(record) ? record : undefined)),
          payloadOf: ({ payload }) => payload,
        },
        after,
      );
      await refuseCompacted(store, { tenant, after });
      return pageAt(items, next);
    },

    keptFrom: () => keptFrom(store, tenant),

    tail({ after, signal, ...filter }) {
      refusePosition(after);
      return tailOf({ tenant, hubs }, { after, signal, filter });
    },
  };
}

async function* tailOf(
  { tenant, hubs }: Pick<WalOptions, "tenant" | "hubs">,
  { filter, ...from }: { after: number | undefined; signal: AbortSignal; filter: WalFilter },
): AsyncGenerator<LogRecord> {
  const matches = matcherOf(filter);
  const { execution } = filter;
  for await (const record of hubs.follow(tenant, { ...from, execution })) if (matches(record)) yield record;
}

function pageAt(items: readonly LogRecord[], next: number | undefined): Page<LogRecord> {
  return next === undefined ? { items } : { items, cursor: String(next) };
}

function matcherOf({ types, session, execution }: WalFilter): (record: LogRecord) => boolean {
  const wanted = types && new Set(types);
  return (record) =>
    (wanted === undefined || wanted.has(record.type)) &&
    (session === undefined || record.session === session) &&
    (execution === undefined || record.execution === execution);
}

export function refusePosition(after: number | undefined): void {
  refuse("read the log", [numberProblem("after", after, { min: 0 })]);
}
