// When each service came up at boot and went down at the end, remembered from the events; and which of them lay on the chain that
// made the whole take as long as it did. Restarts and runs by schedule are no part of either.
import type { Plan } from "../core/plan.ts";
import type { StateName } from "../core/service-state.ts";
import type { Timeline, TimelineSpan } from "../ports/control.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";

type Span = Omit<TimelineSpan, "critical">;

const UP: readonly StateName[] = ["ready", "completed", "failed"];

export class TimelineRecorder {
  readonly #starts = new Map<string, Span>();
  readonly #stops = new Map<string, Span>();
  #isEnding = false;

  /** To be shown every event. */
  observe(event: RuntimeEvent): void {
    if (event.type === "shutdown-began") this.#isEnding = true;
    if (event.type !== "service-state-changed") return;
    const { service, incarnation, from, to, atMs } = event;
    if (to === "starting" && incarnation === 1) {
      this.#starts.set(service, { service, fromMs: atMs, state: to });
    } else if (to === "stopping" && this.#isEnding) {
      this.#stops.set(service, { service, fromMs: atMs, state: to });
    } else {
      if (incarnation === 1) note(this.#starts.get(service), { to, atMs, isOver: UP.includes(to) });
      note(this.#stops.get(service), { to, atMs, isOver: from === "stopping" });
    }
  }

  /** `plan` says who could have held up whom. */
  timeline(plan: Plan): Timeline {
    const needs = new Map(plan.services.map(({ spec, needs: list }) => [spec.name, namesOf(plan, list)]));
    const dependents = new Map(
      plan.services.map(({ spec, dependents: list }) => [spec.name, namesOf(plan, list)]),
    );
    const isScheduled = new Set(plan.services.flatMap(({ spec }) => (spec.schedule ? spec.name : [])));
    const starts = new Map([...this.#starts].filter(([service]) => !isScheduled.has(service)));
    return { start: withCritical(starts, needs), stop: withCritical(this.#stops, dependents) };
  }
}

function note(
  span: Span | undefined,
  { to, atMs, isOver }: { to: StateName; atMs: number; isOver: boolean },
): void {
  if (!span || span.toMs !== undefined) return;
  span.state = to;
  if (isOver) span.toMs = atMs;
}

function namesOf(plan: Plan, indexes: readonly number[]): string[] {
  return indexes.flatMap((index) => plan.services[index]?.spec.name ?? []);
}

/** Walks back from what came last: each was held up by whichever of those before it came last. */
function withCritical(
  spans: ReadonlyMap<string, Span>,
  before: ReadonlyMap<string, readonly string[]>,
): TimelineSpan[] {
  const critical = new Set<string>();
  let at = lastOf([...spans.values()]);
  while (at !== undefined && !critical.has(at.service)) {
    critical.add(at.service);
    const { fromMs, service } = at;
    const earlier = (before.get(service) ?? []).flatMap((name) => spans.get(name) ?? []);
    at = lastOf(earlier.filter(({ toMs }) => toMs !== undefined && toMs <= fromMs));
  }
  return [...spans.values()].map((span) => ({ ...span, critical: critical.has(span.service) }));
}

/** What has not ended comes last of all. */
function lastOf(spans: readonly Span[]): Span | undefined {
  const endOf = ({ toMs = Infinity }: Span) => toMs;
  return spans.reduce<Span | undefined>(
    (last, span) => (last === undefined || endOf(span) > endOf(last) ? span : last),
    undefined,
  );
}
