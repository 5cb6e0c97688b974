// What a simulation is about, drawn from its seed: services with their places and moods, the options of the runtime, and what is
// done to it when. Only data; nothing runs here.
import type { Dependency } from "../../src/config/config.ts";
import type { ProbeSchedule } from "../../src/core/probe-schedule.ts";
import { PLAIN_SPEC, type ServiceSpec } from "../../src/core/spec.ts";
import type { Random } from "./random.ts";

/** How a service behaves as long as there are faults: how often it goes wrong, where it has the choice. A doomed one always ends. */
export type Mood = "calm" | "moody" | "broken" | "doomed";

/** One service with what the supervisor is not told. */
export interface Draft {
  spec: ServiceSpec;
  mood: Mood;
  probes: ProbeSchedule;
  /** A module that has a check of its own. */
  ownCheck: boolean;
  /** A scheduled task is due at multiples of this. */
  periodMs?: number;
}

export interface Scenario {
  drafts: readonly Draft[];
  concurrency: number;
  onFailure: "rollback" | "continue";
  startupTimeoutMs: number;
  budgetMs: number | "auto";
  drainMs: number | "auto";
  kubernetes: boolean;
  exitCodeFrom?: string;
  /** As under `haraka dev`: nothing that happens to services ends it, and it reloads during startup, too. */
  endures: boolean;
  hasGate: boolean;
  backgroundTasks: number;
  shutdownTasks: number;
  /** From then on nothing goes wrong by itself. */
  faultsEndMs: number;
  deeds: readonly { atMs: number; deed: Deed }[];
  /** Reloads add nothing critical, take out only what they have added, and leave restarts and moods as they are. */
  gently?: boolean;
  /** Faults are back while it ends. */
  endsBadly: boolean;
  ending: "signal" | "shutdown" | "crash";
  /** After the first signal; absent: there is none. */
  secondSignalMs?: number;
}

export type Deed = "start" | "stop" | "restart" | "reload" | "signal" | "ghost" | "look";

export function drawScenario(random: Random): Scenario {
  const drafts = drawServices(random);
  const faultsEndMs = random.between(300, 12_000);
  const signals = random.weigh({ none: 60, early: 20, some: 20 });
  const deeds = Array.from({ length: random.between(0, 9) }, () => ({
    atMs: random.between(0, faultsEndMs),
    deed: random.weigh<Deed>({ start: 6, stop: 6, restart: 6, reload: 4, signal: 0, ghost: 4, look: 3 }),
  }));
  if (signals !== "none") {
    deeds.push({ atMs: random.between(0, signals === "early" ? 400 : faultsEndMs), deed: "signal" });
  }
  const exitCodeFrom = random.chance(0.1) ? random.pick(drafts).spec.name : undefined;
  return {
    drafts,
    concurrency: random.pick([Infinity, Infinity, 1, 2, 3]),
    onFailure: random.pick(["rollback", "continue"]),
    startupTimeoutMs: random.pick([1_000, 5_000, 60_000, Infinity]),
    budgetMs: random.pick([300, 1_000, 3_000, "auto"]),
    drainMs: random.pick([0, 200, "auto"]),
    kubernetes: random.chance(0.2),
    ...(exitCodeFrom !== undefined && { exitCodeFrom }),
    endures: random.chance(0.1),
    hasGate: random.chance(0.5),
    backgroundTasks: random.pick([0, 0, 1, 2]),
    shutdownTasks: random.pick([0, 0, 1, 2]),
    faultsEndMs,
    deeds: deeds.toSorted((a, b) => a.atMs - b.atMs),
    endsBadly: random.chance(0.5),
    ending: random.pick(["signal", "signal", "shutdown", "crash"]),
    ...(random.chance(0.4) && { secondSignalMs: random.between(0, 1_500) }),
  };
}

function drawServices(random: Random): Draft[] {
  const drafts: Draft[] = [];
  const groups: { name: string; task: boolean }[] = [];
  for (let at = random.between(1, 8); at > 0; at--) {
    const name = `s${groups.length}`;
    const first = drawDraft(random, { name, groups });
    const replicas = !first.spec.schedule && random.chance(0.2) ? random.between(2, 3) : 1;
    for (let replica = 1; replica <= replicas; replica++) {
      const own = replicas === 1 ? name : `${name}-${replica}`;
      drafts.push({ ...first, spec: { ...first.spec, name: own, group: name } });
    }
    // Nothing can wait for what is outside boot.
    if (!first.spec.schedule) groups.push({ name, task: first.spec.task });
    else groups.push({ name: "", task: true });
  }
  return random.shuffle(drafts);
}

export function drawDraft(
  random: Random,
  { name, groups }: { name: string; groups: readonly { name: string; task: boolean }[] },
): Draft {
  const kind = random.weigh({ process: 45, module: 25, task: 17, scheduled: 13 });
  const task = kind === "task" || kind === "scheduled";
  const inProcess = kind === "module" || (task && random.chance(0.3));
  const isProbed = !task && random.chance(0.5);
  const isManual = !task && inProcess && !isProbed && random.chance(0.3);
  const ownCheck = kind === "module" && !isProbed && !isManual && random.chance(0.3);
  const spec: ServiceSpec = {
    ...PLAIN_SPEC,
    name,
    group: name,
    task,
    inProcess,
    priority: random.pick([0, 0, 0, -1, 1, 2]),
    dependencies: drawDependencies(random, groups),
    critical: kind !== "scheduled" && random.chance(0.65),
    restart: {
      policy: random.pick(["never", "on-failure", "on-failure", "always"]),
      backoff: { minMs: random.pick([10, 100]), maxMs: random.pick([100, 1_000, 2_000]) },
      limit: { count: random.between(1, 6), windowMs: random.pick([1_000, 5_000, 20_000]) },
      resetAfterMs: random.pick([200, 2_000]),
    },
    startupProbe: !task && random.chance(0.3),
    livenessProbe: !task && random.chance(0.3),
    readiness: isManual ? "manual" : isProbed ? "probe" : "started",
    startTimeoutMs: random.pick([500, 1_000, 3_000]),
    stopTimeoutMs: random.pick([50, 300, 2_000]),
  };
  if (kind === "scheduled") spec.schedule = { overlap: random.pick(["skip", "queue", "replace"]) };
  return {
    spec,
    mood: random.weigh<Mood>({ calm: 58, moody: 27, broken: 11, doomed: 4 }),
    probes: {
      intervalMs: random.pick([100, 250, 1_000]),
      timeoutMs: random.pick([30, 100]),
      failureThreshold: random.between(1, 3),
      successThreshold: random.pick([1, 1, 2]),
    },
    ownCheck,
    ...(kind === "scheduled" && { periodMs: random.pick([400, 1_000, 3_000]) }),
  };
}

function drawDependencies(
  random: Random,
  groups: readonly { name: string; task: boolean }[],
): readonly Dependency[] {
  const open = groups.filter(({ name }) => name !== "");
  return random.some(open, Math.min(0.5, 2.5 / (open.length || 1))).map(({ name, task }) => ({
    service: name,
    condition: random.chance(0.3) ? "started" : task ? "completed" : "ready",
    required: random.chance(0.8),
    restart: random.chance(0.3),
  }));
}
