// Services that live in this process. It drives `startup` and `shutdown` and reports how they ended; it cannot kill what does
// not listen, only abandon it, and whatever an abandoned one still says is dropped. No `node:`, so the edge uses it too.
import { messageOf } from "../errors.ts";
import type { Launcher, LaunchOutcome, Running } from "../ports/launcher.ts";
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
      if (!alive.signal.aborted) return finish({ type: "failed", reason, error });
      if (options.task) return exit(1, reason);
    }
    if (options.task) return exit(0);
    doing = "running";
    if (!alive.signal.aborted) report({ type: "launched", manual: service.readiness === "manual" });
    const signal = await stopped.promise;
    doing = "in shutdown()";
    try {
      await service.shutdown?.(signal);
    } catch (error) {
      return exit(1, `shutdown() failed: ${messageOf(error)}`);
    }
    exit(0);
  };
  live().catch((error: unknown) => finish({ type: "failed", reason: messageOf(error), error }));

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
  };
}
