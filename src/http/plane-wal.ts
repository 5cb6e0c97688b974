// The one operation on the log: reading it, from behind a sequence number on, and following it. Nobody writes it over HTTP.
import type { WalFilter } from "../ports/plane.ts";
import { WAL_TYPES } from "../ports/store.ts";
import type { PlaneLimits } from "./plane-limits.ts";
import { type Operation, operation } from "./plane-operation.ts";
import { limitOf, sequence } from "./plane-queries.ts";
import { name, optional, severalOf, z } from "./plane-schema-kit.ts";
import { walPage, pageView, recordView, walRecord } from "./plane-views.ts";

export function walOperations(limits: PlaneLimits): Operation[] {
  const query = z.strictObject({
    after: optional(
      sequence,
      "From behind this sequence number on; `Last-Event-ID` goes before it. Default: from the first that is kept.",
    ),
    type: optional(severalOf(WAL_TYPES), "Only these types, with commas between them."),
    session: optional(name(limits), "Only what is about this session."),
    execution: optional(name(limits), "Only what is about this execution."),
    limit: limitOf(limits),
    cursor: optional(sequence, "The same as `after`, which it goes before."),
  });
  const filterOf = ({ type, session, execution }: z.output<typeof query>): WalFilter => ({
    ...(type !== undefined && { types: type }),
    ...(session !== undefined && { session }),
    ...(execution !== undefined && { execution }),
  });
  return [
    operation({
      id: "readWal",
      tag: "wal",
      method: "GET",
      path: "/wal",
      summary: "Reads the log, ascending; as a stream, also everything that is appended from then on.",
      description:
        "With a filter, a page may have fewer records than `limit`, even none, and a cursor to go on from. A stream that was to go on from what is no longer kept has one event `compacted`, and ends.",
      query,
      problems: [410],
      answers: { 200: walPage },
      stream: {
        schema: walRecord,
        async open({ plane, query }) {
          const filter = filterOf(query);
          return async function* (from) {
            for await (const record of plane.wal.tail({ ...filter, ...from })) {
              yield { event: record.type, id: record.seq, data: recordView(record) };
            }
          };
        },
      },
      async handle({ plane, query }) {
        const { after, cursor = after, limit } = query;
        const page = await plane.wal.read({ ...filterOf(query), after: cursor, limit });
        return { status: 200, content: pageView(page, recordView) };
      },
    }),
  ];
}
