// Services that live in this process. It drives `startup` and `shutdown` and reports how they ended; it cannot kill what does
// not listen, only abandon it, and whatever an abandoned one still says is dropped. No `node:`, so the edge uses it too.
import { ConfigError, messageOf, stackOf, UsageError } from "../errors.ts";
import type { Launcher, LaunchOutcome, Running } from "../ports/launcher.ts";
import type { ProbeResult } from "../ports/probe.ts";
import type { ServiceLike } from "../ports/service.ts";

export interface ModuleLauncherOptions {
  /** Gives the instance of one incarnation. What it throws becomes the reason of `failed`. */
  load(): Promise<ServiceLike> | ServiceLike;
  /** Done once `startup()` has resolved; `shutdown()` is never called. */
  task: boolean;
  /**
   * Called before `startup`, to hand over the runtime and mount routes. `signal` aborts when the service should stop what it
   * is doing. What it throws becomes the reason of `failed`.
   */
  onInstance(service: ServiceLike, signal: AbortSignal): void;
}

export function moduleLauncher(options: ModuleLauncherOptions): Launcher {
  return { launch: (_incarnation, report) => launch(options, report) };
}

/*
 *  load ─► onInstance ─► startup ─┬─► launched ─ stop ─► shutdown ─► exited 0
 *                                 └─ (stop during startup: its signal aborts; once it has settled) ─► shutdown ─► exited 0
 *  a throw: failed before `launched`, exited 1 after. A task: exited 0 after startup. kill: exited 1 at once.
 */
function launch(options: ModuleLauncherOptions, report: (outcome: LaunchOutcome) => void): Running {
  const alive = new AbortController();
  const stopped = Promise.withResolvers<AbortSignal>();
  let deadline: AbortController | undefined;
  let doing = "loading";
  let over = false;
  let health: Running["health"];

  const finish = (outcome: LaunchOutcome): void => {
    if (over) return;
    over = true;
    alive.abort();
    report(outcome);
  };
  const exit = (code: 0 | 1, reason?: string): void =>
    finish({ type: "exited", code, signal: null, ...(reason === undefined ? {} : { reason }) });

  const live = async (): Promise<void> => {
    const service = await options.load();
    if (alive.signal.aborted) return options.task ? exit(1, "stopped before it began") : exit(0);
    options.onInstance(service, alive.signal);
    doing = "in startup()";
    try {
      await service.startup?.(alive.signal);
    } catch (error) {
      const reason = `startup() failed: ${messageOf(error)}`;
      if (!alive.signal.aborted) return finish(failed(reason, error));
      if (options.task) return exit(1, reason);
    }
    if (options.task) return exit(0);
    doing = "running";
    if (typeof service.health === "function") health = healthOf(service);
    if (!alive.signal.aborted) {
      report({ type: "launched", manual: service.readiness === "manual", ...(health && { health: true }) });
    }
    const signal = await stopped.promise;
    doing = "in shutdown()";
    try {
      await service.shutdown?.(signal);
    } catch (error) {
      const reason = `shutdown() failed: ${messageOf(error)}`;
      return finish({ type: "exited", code: 1, signal: null, reason, ...codeStack(error) });
    }
    exit(0);
  };
  live().catch((error: unknown) => finish(failed(messageOf(error), error)));

  return {
    stop() {
      alive.abort();
      deadline ??= new AbortController();
      stopped.resolve(deadline.signal);
    },
    kill() {
      deadline?.abort();
      exit(1, `abandoned ${doing}: code in this process cannot be killed`);
    },
    async health(signal) {
      if (over || health === undefined) return { ok: false, reason: `it is ${over ? "over" : doing}` };
      return await health(signal);
    },
  };
}

function failed(reason: string, error: unknown): LaunchOutcome {
  return { type: "failed", reason, ...codeStack(error) };
}

/** Where code of the service threw; what the runtime says itself says it all. */
function codeStack(error: unknown): { stack?: string } {
  const isOwn = error instanceof UsageError || error instanceof ConfigError;
  const stack = isOwn ? undefined : stackOf(error);
  return stack === undefined ? {} : { stack };
}

/** Asks `health()` when no earlier call is still under way, even one that nobody waits for any more. */
function healthOf(service: ServiceLike): NonNullable<Running["health"]> {
  let asked: Promise<ProbeResult> | undefined;
  const ask = async (): Promise<ProbeResult> => {
    try {
      return resultOf(await service.health?.());
    } catch (error) {
      return { ok: false, reason: `health() failed: ${messageOf(error)}` };
    }
  };
  return async (signal) => {
    const joined = asked !== undefined;
    if (signal.aborted) return { ok: false, reason: "health() was not asked in time" };
    const aborted = Promise.withResolvers<ProbeResult>();
    const giveUp = (): void =>
      aborted.resolve({
        ok: false,
        reason: joined ? "the last check still runs" : "health() gave no answer in time",
      });
    signal.addEventListener("abort", giveUp);
    asked ??= ask().finally(() => (asked = undefined));
    try {
      return await Promise.race([asked, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  };
}

function resultOf(answer: unknown): ProbeResult {
  if (answer === false) return { ok: false, reason: "health() gave false" };
  if (typeof answer !== "object" || answer === null || !("ok" in answer) || answer.ok !== false)
    return { ok: true };
  const reason = "reason" in answer && typeof answer.reason === "string" ? answer.reason : "";
  return { ok: false, reason: reason || "health() gave ok: false" };
}
