// A supervisor on a clock that is turned by hand, and services whose outcomes the test decides.
import type { ServiceSpec } from "../../src/core/spec.ts";
import type { RuntimeEvent } from "../../src/ports/runtime-event.ts";
import type { SupervisedService } from "../../src/runtime/effects.ts";
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

export const fast = (code: number | null, signal: string | null = null) => ({
  type: "exited" as const,
  code,
  signal,
});
