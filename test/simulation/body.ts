// What is launched in a simulation: processes that crash, hang and are slow, and modules driven by the real module launcher. Tells
// the auditor what is really alive, whatever the runtime believes.
import { moduleLauncher } from "../../src/drivers/module-launcher.ts";
import type { Launcher, LaunchOutcome, Running } from "../../src/ports/launcher.ts";
import type { Probe, ProbeResult } from "../../src/ports/probe.ts";
import type { ServiceLike } from "../../src/ports/service.ts";
import type { Auditor } from "./auditor.ts";
import type { VirtualClock } from "./clock.ts";
import type { Random } from "./random.ts";
import type { Draft } from "./scenario.ts";

/** One life of one service, as it really is. */
export interface Life {
  readonly service: string;
  readonly incarnation: number;
  /** Its process runs, or code of it. */
  alive: boolean;
  /** Its end has been reported. */
  over: boolean;
  /** Its startup probe passes from then on. */
  upAtMs: number;
  /** Its probes fail in between. */
  sickFromMs: number;
  sickUntilMs: number;
  report: (outcome: LaunchOutcome) => void;
  /** Ends it now, as a crash would; a module cannot. */
  crash?: (code: number) => void;
}

export interface World {
  readonly clock: VirtualClock;
  readonly audit: Auditor;
  /** Whether things go wrong. */
  faulty: boolean;
  /** The last life of each service. */
  readonly lives: Map<string, Life>;
  /** Each service draws its fates from a stream of its own. */
  fates(service: string): Random;
  markReady(service: string): void;
}

/** A launcher that tells the auditor of everything that passes through it. */
export function launcherOf(draft: Draft, world: World): Launcher {
  const { name } = draft.spec;
  return {
    launch(incarnation, report) {
      const life: Life = {
        service: name,
        incarnation,
        alive: true,
        over: false,
        upAtMs: 0,
        sickFromMs: Infinity,
        sickUntilMs: Infinity,
        report,
      };
      world.audit.launched(life);
      world.lives.set(name, life);
      const fate = drawFate(draft, world);
      life.upAtMs = world.clock.now() + fate.upAfterMs;
      life.sickFromMs = world.clock.now() + fate.sickAfterMs;
      life.sickUntilMs = life.sickFromMs + fate.sickForMs;
      const tell = (outcome: LaunchOutcome) => {
        if (outcome.type !== "launched") life.over = true;
        world.audit.reported(life, outcome);
        report(outcome.type === "launched" && draft.ownCheck ? { ...outcome, health: true } : outcome);
      };
      const context = { draft, world, life, fate, tell };
      const running = draft.spec.inProcess ? startModule(context) : startProcess(context);
      return {
        stop() {
          world.audit.signalled(life, "stop");
          running.stop();
        },
        kill() {
          world.audit.signalled(life, "kill");
          running.kill();
        },
        ...(draft.ownCheck && { health: (signal: AbortSignal) => answer({ draft, world, signal }) }),
      };
    },
  };
}

interface Fate {
  start: "ok" | "failed" | "hangs" | "dies";
  startMs: number;
  /** When the startup probe begins to pass. */
  upAfterMs: number;
  /** When it ends by itself; never: `Infinity`. For tasks: when they are done. */
  endAfterMs: number;
  exit: { code: number | null; signal: string | null };
  sickAfterMs: number;
  sickForMs: number;
  stop: "obeys" | "fails" | "deaf";
  stopMs: number;
  killMs: number;
}

const GOOD_EXIT = { code: 0, signal: null };

function drawFate({ spec, mood }: Draft, world: World): Fate {
  const random = world.fates(spec.name);
  const fate: Fate = {
    start: "ok",
    startMs: random.pick([0, 0, 0, 1, 5, 40]),
    upAfterMs: random.between(0, 60),
    endAfterMs: spec.task ? random.between(1, 120) : Infinity,
    exit: GOOD_EXIT,
    sickAfterMs: Infinity,
    sickForMs: 0,
    stop: "obeys",
    stopMs: random.pick([0, 0, 1, 10, 30]),
    killMs: random.pick([0, 0, 1, 5]),
  };
  if (!world.faulty) return fate;
  const trouble = { calm: 0.06, moody: 0.3, broken: 0.8, doomed: 0.1 }[mood];
  if (mood === "doomed") {
    fate.endAfterMs = random.between(0, 3_000);
    fate.exit = { code: 1, signal: null };
  }
  if (random.chance(trouble)) {
    fate.start = random.weigh({ ok: 6, failed: 2, hangs: 1, dies: 2 });
    fate.exit = random.pick([
      { code: 1, signal: null },
      { code: 3, signal: null },
      { code: 77, signal: null },
      { code: null, signal: "SIGSEGV" },
      { code: null, signal: "SIGKILL" },
      GOOD_EXIT,
    ]);
    if (random.chance(0.6)) fate.endAfterMs = Math.floor(-Math.log(1 - random.next()) * 1_500);
    if (random.chance(0.15)) fate.upAfterMs = random.pick([400, 2_000, Infinity]);
    if (random.chance(0.4)) {
      fate.sickAfterMs = random.between(0, 2_000);
      fate.sickForMs = random.pick([50, 400, 2_000, Infinity]);
    }
  }
  if (random.chance(trouble)) {
    fate.stop = random.weigh({ obeys: 2, fails: 1, deaf: 2 });
    fate.stopMs = random.between(0, 2 * spec.stopTimeoutMs);
    if (random.chance(0.1)) fate.killMs = 700;
  }
  return fate;
}

interface Context {
  draft: Draft;
  world: World;
  life: Life;
  fate: Fate;
  tell: (outcome: LaunchOutcome) => void;
}

/** Runs it now where there is no wait, so that outcomes also come before the call has returned. */
function soon(world: World, delayMs: number, run: () => void): void {
  if (delayMs === 0) run();
  else if (delayMs !== Infinity) world.clock.later(delayMs, run);
}

function startProcess({ draft, world, life, fate, tell }: Context): Running {
  const end = (outcome: LaunchOutcome) => {
    if (life.over) return;
    life.alive = false;
    tell(outcome);
  };
  const exit = (code: number | null, signal: string | null = null) => end({ type: "exited", code, signal });
  life.crash = (code) => exit(code);
  soon(world, fate.startMs, () => {
    if (life.over || fate.start === "hangs") return;
    if (fate.start === "failed") return end({ type: "failed", reason: "no such command" });
    tell({ type: "launched", pid: 1000 + life.incarnation });
    if (fate.start === "dies") return exit(3);
    soon(world, fate.endAfterMs, () => {
      const isFault = fate.exit !== GOOD_EXIT || !draft.spec.task;
      if (!isFault || world.faulty) exit(fate.exit.code, fate.exit.signal);
      else if (draft.spec.task) exit(0);
    });
  });
  return {
    stop() {
      // One that does not listen does once there are no faults, so that a quiet world settles.
      if (fate.stop === "deaf" && world.faulty) return;
      const isBad = fate.stop === "fails" && world.faulty;
      soon(world, fate.stopMs, () =>
        isBad ? exit(9) : fate.stopMs % 2 === 0 ? exit(0) : exit(null, "SIGTERM"),
      );
    },
    kill: () => soon(world, fate.killMs, () => exit(null, "SIGKILL")),
  };
}

/** Code that may go on after it was given up: `alive` follows the promises, not the reports. */
function startModule({ draft, world, life, fate, tell }: Context): Running {
  let busy = 0;
  const look = () => {
    if (life.over && busy === 0) life.alive = false;
  };
  const work = async (run: () => Promise<void>) => {
    busy++;
    try {
      await run();
    } finally {
      busy--;
      look();
    }
  };
  const wait = (delayMs: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (delayMs === 0) resolve();
      else if (delayMs !== Infinity) world.clock.later(delayMs, resolve);
      signal?.addEventListener("abort", () => reject(new Error("aborted")));
    });
  const isDeaf = fate.stop === "deaf" && world.faulty;
  const service: ServiceLike = {
    ...(draft.spec.readiness === "manual" && { readiness: "manual" as const }),
    startup: (signal) =>
      work(async () => {
        const heard = isDeaf ? undefined : signal;
        if (fate.start === "hangs") await wait(Infinity, heard);
        await wait(draft.spec.task ? fate.endAfterMs : fate.startMs, heard);
        if (fate.start === "failed") throw new Error("no database");
        if (draft.spec.task && fate.exit !== GOOD_EXIT) throw new Error("it went wrong");
        if (draft.spec.readiness !== "manual" || (world.faulty && fate.upAfterMs > 50)) return;
        world.clock.later(fate.upAfterMs, () => !life.over && world.markReady(life.service));
      }),
    shutdown: (signal) =>
      work(async () => {
        if (isDeaf && world.faulty) await wait(Infinity, fate.killMs === 0 ? signal : undefined);
        await wait(fate.stopMs);
        if (fate.stop === "fails" && world.faulty) throw new Error("cannot close");
      }),
  };
  const launcher = moduleLauncher({
    async load() {
      if (fate.start === "dies") throw new Error("cannot find module");
      return service;
    },
    task: draft.spec.task,
    onInstance() {},
  });
  return launcher.launch(life.incarnation, (outcome) => {
    if (outcome.type !== "launched" && busy === 0) life.alive = false;
    tell(outcome);
  });
}

/** The probe of a service: asks the life it has now. */
export function probeOf(draft: Draft, world: World, kind: "startup" | "liveness" | "readiness"): Probe {
  return { check: (signal) => answer({ draft, world, signal, kind }) };
}

function answer({
  draft,
  world,
  signal,
  kind = "readiness",
}: {
  draft: Draft;
  world: World;
  signal: AbortSignal;
  kind?: "startup" | "liveness" | "readiness";
}): Promise<ProbeResult> {
  const { clock } = world;
  const random = world.fates(`${draft.spec.name} ${kind}`);
  const isFlaky =
    world.faulty && random.chance({ calm: 0.01, moody: 0.1, broken: 0.3, doomed: 0.1 }[draft.mood]);
  const delayMs = isFlaky && random.chance(0.3) ? Infinity : random.pick([0, 0, 1, 20]);
  return new Promise((resolve) => {
    const settle = () => {
      const life = world.lives.get(draft.spec.name);
      const now = clock.now();
      const isUp = life !== undefined && !life.over && (!world.faulty || now >= life.upAtMs);
      const isSick = world.faulty && life !== undefined && now >= life.sickFromMs && now < life.sickUntilMs;
      const ok = isUp && !isSick && !isFlaky;
      if (ok && !signal.aborted) world.audit.probed(life);
      resolve(ok ? { ok } : { ok, reason: isUp ? "sick" : "refused" });
    };
    signal.addEventListener("abort", () => resolve({ ok: false, reason: "aborted" }));
    if (delayMs === 0) settle();
    else if (delayMs !== Infinity) clock.later(delayMs, settle);
  });
}
