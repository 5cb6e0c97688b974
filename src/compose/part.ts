// A part of the runtime that starts and stops like a service, before all others, and has its place in health: the store, the log,
// the registry. What it is made of is said where it is made.
import { PLAIN_SPEC, type ServiceSpec } from "../core/spec.ts";
import { moduleLauncher } from "../drivers/module-launcher.ts";
import type { Probe } from "../ports/probe.ts";
import type { ServiceLike } from "../ports/service.ts";
import type { SupervisedService } from "../runtime/effects.ts";

export interface PartOptions {
  /** Names of other parts that come first. */
  needs?: readonly string[];
  /** Asked again and again whether it works; without one it works once it has started. */
  probe?: Probe | undefined;
  /** As `ServiceSpec` has it. */
  patient?: boolean;
}

/** Before everything without a number of its own; nobody can ask for more. */
const FIRST = Number.MAX_SAFE_INTEGER;
/** Where a probe says when to ask, it is asked only then. */
const CHECKED = { intervalMs: 1_000, timeoutMs: 1_000, failureThreshold: 1, successThreshold: 1 };

export function partOf(
  name: string,
  service: ServiceLike,
  { needs = [], probe, patient = false }: PartOptions = {},
): SupervisedService {
  return {
    spec: { ...specOf(name, { needs, probed: probe !== undefined }), patient },
    launcher: moduleLauncher({ load: () => service, task: false, onInstance() {} }),
    ...(probe && { readiness: { probe, schedule: CHECKED } }),
  };
}

function specOf(name: string, { needs, probed }: { needs: readonly string[]; probed: boolean }): ServiceSpec {
  const dependencies = needs.map((service) => ({
    service,
    condition: "ready" as const,
    required: true,
    restart: false,
  }));
  return {
    ...PLAIN_SPEC,
    name,
    group: name,
    inProcess: true,
    priority: FIRST,
    dependencies,
    ...(probed && { readiness: "probe" as const }),
  };
}
