// What the query of every list has: how much, from where on, and what else the list itself can be asked for.
import type { PlaneLimits } from "./plane-limits.ts";
import { described, optional, type Schema, whole, z } from "./plane-schema-kit.ts";

/** Of a page for which nobody has said how large it should be. */
const PAGE_DEFAULT = 100;

const STREAM =
  "As a stream: from behind this sequence number on; `Last-Event-ID` goes before it. Default: the beginning.";

/** A sequence number. */
export const sequence = whole({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export function limitOf({ pageMax }: PlaneLimits) {
  const limit = whole({ minimum: 1, maximum: pageMax });
  return described(z.prefault(limit, Math.min(PAGE_DEFAULT, pageMax)), "Of one page. Not of a stream.");
}

export function listQuery<const Own extends Record<string, Schema>>(limits: PlaneLimits, own: Own) {
  return z.strictObject({
    ...own,
    limit: limitOf(limits),
    cursor: optional(z.string(), "That of the page before. Not of a stream."),
    after: optional(sequence, STREAM),
  });
}
