// When a drain may end: who asks readiness again and again, in which rhythm, and since when each of them has known that this
// runtime wants no more requests. Decisions only: times come in as arguments, and nothing here waits.

/** A source that asks readiness again and again. */
export interface Prober {
  /** The address it asks from. */
  source: string;
  /** Within so long, everybody who asks from there has asked once. */
  intervalMs: number;
  /** After so many questions everybody who asks from there has asked. */
  looks: number;
  lastAskedMs: number;
}

/** A longer pause ends the rhythm. */
const INTERVAL_MS_MAX = 30_000;
const SOURCES_MAX = 64;
/** How many of a source's latest questions tell its rhythm. */
const ASKS_KEPT = 9;
/** After so many of its own intervals without a question a prober is gone. */
const FORGOTTEN_AFTER = 3;
/** So many who take turns behind one address are told apart. */
const LOOKS_MAX = 4;
/** How much the pauses of one rhythm may differ. */
const JITTER = 0.15;
/** So many failed checks take a server down in a stock HAProxy, and hardly anybody wants more. */
const FAILURES_MAX = 3;
/** A prober may be late by a tenth of its interval, but hardly by more than this. */
const LATENESS_MS_MAX = 100;

/** Who has asked readiness lately. Remembers at most 64 sources, those that ask in a rhythm before those that asked once. */
export class Probers {
  readonly #asks = new Map<string, number[]>();

  asked(source: string, nowMs: number): void {
    const asks = this.#asks.get(source);
    if (asks !== undefined) {
      if (nowMs - lastOf(asks) > INTERVAL_MS_MAX) asks.length = 0;
      asks.push(nowMs);
      if (asks.length > ASKS_KEPT) asks.shift();
    } else if (this.#asks.size < SOURCES_MAX || this.#makeRoom(nowMs)) {
      this.#asks.set(source, [nowMs]);
    }
  }

  /** Those that have asked at least twice and still do. */
  active(nowMs: number): Prober[] {
    const probers = [...this.#asks].flatMap(([source, asks]) => proberOf(source, asks) ?? []);
    return probers.filter((prober) => nowMs <= forgottenMs(prober));
  }

  #makeRoom(nowMs: number): boolean {
    let once: string | undefined;
    for (const [source, asks] of this.#asks) {
      const prober = proberOf(source, asks);
      const untilMs = prober ? forgottenMs(prober) : lastOf(asks) + INTERVAL_MS_MAX;
      if (untilMs < nowMs) this.#asks.delete(source);
      else if (!prober) once ??= source;
    }
    if (this.#asks.size >= SOURCES_MAX && once !== undefined) this.#asks.delete(once);
    return this.#asks.size < SOURCES_MAX;
  }
}

function proberOf(source: string, asks: readonly number[]): Prober | undefined {
  return asks.length < 2 ? undefined : { source, ...rhythmOf(asks), lastAskedMs: lastOf(asks) };
}

/**
 * Two proxies on one host look like one source that asks in turns of unequal pauses, so the interval of each is not the pause
 * but the turn. Pauses without any rhythm are taken as those of two who each keep their own.
 */
function rhythmOf(asks: readonly number[]): Pick<Prober, "intervalMs" | "looks"> {
  for (let looks = 1; looks <= LOOKS_MAX; looks++) {
    const turns = asks.slice(looks).map((atMs, index) => atMs - (asks[index] ?? atMs));
    // One turn of several pauses proves nothing.
    if (turns.length < Math.min(looks, 2)) break;
    const longestMs = Math.max(...turns);
    if (longestMs - Math.min(...turns) <= longestMs * JITTER) return { intervalMs: longestMs, looks };
  }
  const pairs = asks.slice(2).map((atMs, index) => atMs - (asks[index] ?? atMs));
  return { intervalMs: Math.max(...pairs), looks: 2 };
}

function forgottenMs({ lastAskedMs, intervalMs }: Prober): number {
  return lastAskedMs + FORGOTTEN_AFTER * intervalMs;
}

/** One drain, from its beginning: what the probers known by then have seen of it. */
export class Drain {
  readonly #awaited: ReadonlyMap<string, Awaited>;
  readonly #sinceMs: number;

  constructor(probers: readonly Prober[], sinceMs: number) {
    this.#awaited = new Map(
      probers.map((prober) => [prober.source, { ...prober, looksLeft: prober.looks * FAILURES_MAX }]),
    );
    this.#sinceMs = sinceMs;
  }

  /** A source has been told that this runtime is not ready any more. */
  asked(source: string, nowMs: number): void {
    const awaited = this.#awaited.get(source);
    if (awaited === undefined) return;
    awaited.lastAskedMs = nowMs;
    if (awaited.looksLeft > 0) awaited.looksLeft -= 1;
    if (awaited.looksLeft === 0) awaited.seenMs ??= nowMs;
  }

  /**
   * When it may end, as far as is known now; another question may move it. A prober has seen it three times and has had an interval of its own
   * to act on that, or has not come back and is forgotten. Nobody probing: its own beginning.
   */
  endMs(): number {
    return Math.max(this.#sinceMs, ...[...this.#awaited.values()].map(endOf));
  }

  /** Those that have not seen it often enough yet. */
  unaware(): Prober[] {
    return [...this.#awaited.values()].filter(({ seenMs }) => seenMs === undefined);
  }
}

interface Awaited extends Prober {
  looksLeft: number;
  /** When the last of those behind the address had seen it often enough. */
  seenMs?: number;
}

function endOf(awaited: Awaited): number {
  const { seenMs, intervalMs, lastAskedMs } = awaited;
  if (seenMs === undefined) return forgottenMs(awaited);
  const latenessMs = Math.min(intervalMs / 10, LATENESS_MS_MAX);
  const actedMs = seenMs + intervalMs + latenessMs;
  // Two who take turns at exactly half their interval look like one: who asks at the last moment gets time to act, too.
  return Math.max(actedMs, Math.min(lastAskedMs, actedMs) + latenessMs);
}

function lastOf(asks: readonly number[]): number {
  return asks.at(-1) ?? -Infinity;
}

/** How a drain ends: after a time, or once the probers have seen it. */
export type DrainRule = { until: "time"; waitMs: number } | { until: "probers" };

export interface DrainContext {
  /** Kubernetes takes a pod from its endpoints without asking the probe. */
  kubernetes: boolean;
  /** Somebody sits at a terminal and waits for the end: `haraka dev`, or output to a terminal. */
  attended: boolean;
  /** By what routes are published, if they are. */
  publisher?: "http" | "redis" | undefined;
}

/** What `auto` waits for a publisher: Traefik has polled its HTTP provider, or has taken what Redis told it. */
export const PUBLISHED_MS = { http: 7_000, redis: 3_000 } as const;
/** What `auto` waits under Kubernetes. */
const ENDPOINT_REMOVAL_MS = 5_000;

/** CONTRACT section 1, "Drain". */
export function drainRule(
  setting: number | "auto",
  { kubernetes, attended, publisher }: DrainContext,
): DrainRule {
  if (setting !== "auto") return { until: "time", waitMs: setting };
  if (attended) return { until: "time", waitMs: 0 };
  if (kubernetes) return { until: "time", waitMs: ENDPOINT_REMOVAL_MS };
  if (publisher !== undefined) return { until: "time", waitMs: PUBLISHED_MS[publisher] };
  return { until: "probers" };
}

/** The longest that a drain by this rule may take: never more than half the budget. */
export function drainMs(rule: DrainRule, budgetMs: number): number {
  return Math.min(rule.until === "time" ? rule.waitMs : Infinity, budgetMs / 2);
}
