// A supervisor on a clock that is turned by hand, and services whose outcomes the test decides.
import type { ServiceSpec } from "../../src/core/spec.ts";
import type { RuntimeEvent } from "../../src/ports/runtime-event.ts";
import type { SupervisedService } from "../../src/runtime/effects.ts";
import { Operator } from "../../src/runtime/operator.ts";
import { Supervisor, type SupervisorOptions } from "../../src/runtime/supervisor.ts";
import { testClock } from "../../src/testing.ts";
import { spec } from "../core/arbitrary.ts";
import { scriptedLauncher } from "../fakes/launcher.ts";

export function supervised(overrides: Partial<SupervisorOptions> = {}) {
  const clock = testClock();
  const events: RuntimeEvent[] = [];
  const supervisor = new Supervisor({
    clock,
    emit: (event) => events.push(event),
    startup: { timeoutMs: 60_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: 10_000, drainMs: 0 },
    kubernetes: false,
    ...overrides,
  });
  return { clock, events, supervisor };
}

export function service(
  name: string,
  overrides: Partial<ServiceSpec> = {},
  options: { obliging?: boolean } = {},
) {
  const launcher = scriptedLauncher(options);
  return { spec: spec(name, overrides), launcher } satisfies SupervisedService;
}

/** An operator of it; `read` gives the services of a reload, of which those in `changed` are others. */
export function operatorOf(
  supervisor: Supervisor,
  {
    read = () => [],
    changed = [],
  }: { read?: () => readonly SupervisedService[]; changed?: readonly string[] } = {},
): Operator {
  return new Operator({
    supervisor,
    name: "test",
    version: "0",
    pid: 1,
    limits: () => ({}),
    read: async () => ({ services: read(), added: [], changed, removed: [], applied() {} }),
  });
}

export const fast = (code: number | null, signal: string | null = null) => ({
  type: "exited" as const,
  code,
  signal,
});
