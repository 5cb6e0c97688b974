// What a client would rather have, by its `Accept` (RFC 9110, section 12.5.1). Only for answers that have a second form beside the
// plain one: it never makes a request fail.
import { parseAccept } from "hono/utils/accept";

export interface Choice {
  /** The form in which it is answered to everybody else. Default: `application/json`. */
  otherwise?: string;
}

/** Whether `type` is asked for by name, and what there is `otherwise` is not liked better. Types are written in lower case. */
export function prefers(
  { headers }: Pick<Request, "headers">,
  type: string,
  { otherwise = "application/json" }: Choice = {},
): boolean {
  const accept = headers.get("accept")?.toLowerCase();
  // What almost everybody sends is not worth reading.
  if (!accept?.includes(type)) return false;
  const ranges = parseAccept(accept);
  const own = ranges.find((range) => range.type === type)?.q ?? 0;
  return own > 0 && own >= qualityOf(otherwise, ranges);
}

/** That of the range that is most exactly this. */
function qualityOf(type: string, ranges: readonly { type: string; q: number }[]): number {
  for (const name of [type, type.replace(/\/.*/, "/*"), "*/*"]) {
    const range = ranges.find((each) => each.type === name);
    if (range) return range.q;
  }
  return 0;
}
