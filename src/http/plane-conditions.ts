// If-Match and If-None-Match on the plane's versions (RFC 9110, section 13.1): an entity tag is a version in quotes. Reads headers
// and nothing else; a version is compared where it is written.
import { PlaneError } from "../errors.ts";
import type { InputProblem } from "./plane-input.ts";

/** What must hold: nothing, this very version (0: there is none), or one that only who looks can compare. */
export type Condition =
  | { kind: "none" }
  | { kind: "version"; version: number }
  | { kind: "any" }
  | { kind: "one-of"; versions: readonly number[] };

const TAGS = /^\s*(W\/)?"[^"]*"\s*(,\s*(W\/)?"[^"]*"\s*)*$/;

export function conditionOf(headers: Headers, problems: InputProblem[]): Condition {
  const match = headers.get("if-match");
  const noneMatch = headers.get("if-none-match");
  if (match !== null && noneMatch !== null) {
    problems.push({ path: "If-None-Match", message: "expected none where there is an If-Match" });
    return { kind: "none" };
  }
  if (noneMatch !== null) {
    if (noneMatch.trim() === "*") return { kind: "version", version: 0 };
    problems.push({ path: "If-None-Match", message: "expected *" });
  }
  if (match === null) return { kind: "none" };
  if (match.trim() === "*") return { kind: "any" };
  if (!TAGS.test(match))
    problems.push({ path: "If-Match", message: 'expected a version in quotes, such as "3", or *' });
  const versions = versionsOf(match);
  const [version] = versions;
  return versions.length === 1 && version !== undefined
    ? { kind: "version", version }
    : { kind: "one-of", versions };
}

/** Those that can be one of ours. Weak tags never match here. */
function versionsOf(tags: string): number[] {
  return [...tags.matchAll(/(W\/)?"([^"]*)"/g)]
    .filter(([, weak, tag = ""]) => weak === undefined && /^[1-9]\d{0,14}$/.test(tag))
    .map(([, , tag]) => Number(tag));
}

export function tagOf(version: number): string {
  return `"${version}"`;
}

/** Whether what GET would answer is what the asker has (weak comparison). */
export function isKnown(headers: Headers, version: number): boolean {
  const tags = headers.get("if-none-match");
  if (tags === null) return false;
  return tags.trim() === "*" || [...tags.matchAll(/"([^"]*)"/g)].some(([, tag]) => tag === String(version));
}

/** How often what was looked at may have changed by the time that it is written. */
const ATTEMPTS_MAX = 10;

export interface ConditionalWrite<T> {
  condition: Condition;
  /** Its version; 0 if there is none. */
  look: () => Promise<number>;
  write: (options: { ifVersion?: number }) => Promise<T>;
}

/** Writes if the condition holds, to the very version that was compared. Throws `PlaneError` `stale` if it does not. */
export async function writeIf<T>({ condition, look, write }: ConditionalWrite<T>): Promise<T> {
  if (condition.kind === "none") return write({});
  if (condition.kind === "version") return write({ ifVersion: condition.version });
  for (let attempt = 1; ; attempt++) {
    const version = await look();
    if (version === 0 || (condition.kind === "one-of" && !condition.versions.includes(version))) {
      throw new PlaneError("stale", `If-Match does not hold for version ${version}`);
    }
    try {
      return await write({ ifVersion: version });
    } catch (error) {
      const isStale = error instanceof PlaneError && error.problem === "stale";
      if (!isStale || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}
