// Tells whoever started this runtime how it is, where that one gave it a NOTIFY_SOCKET (systemd's sd_notify protocol): ready,
// reloading, stopping, and a sign of life as often as it wants one.
import process from "node:process";
import { notifyManager } from "../drivers/linux/notify-socket.ts";
import type { Clock } from "../ports/clock.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import { openSocketCalls } from "./socket-calls.ts";

export interface ManagerOptions {
  supervisor: Supervisor;
  clock: Clock;
}

/** To be shown every event; absent where nobody wants to know. Takes the variables out of this process's environment. */
export function manager({ supervisor, clock }: ManagerOptions): ((event: RuntimeEvent) => void) | undefined {
  const { env } = process;
  if (env.NOTIFY_SOCKET === undefined) return undefined;
  const watchdogMs =
    env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === process.pid
      ? Number(env.WATCHDOG_USEC) / 1000
      : 0;
  const tell = notifyManager({ environment: env, openCalls: openSocketCalls });
  let isTold = false;
  let isStopping = false;
  let stopWatchdog = () => {};
  const feed = () => {
    tell({ WATCHDOG: 1 });
    stopWatchdog = clock.after(watchdogMs / 2, feed);
  };
  if (watchdogMs > 0) feed();
  return (event) => {
    if (event.type === "runtime-state-changed" && (event.to === "draining" || event.to === "stopping")) {
      if (!isStopping) tell({ STOPPING: 1, STATUS: "stopping" });
      isStopping = true;
    } else if (event.type === "runtime-state-changed" && event.to === "destroyed") {
      stopWatchdog();
    } else if (!isTold && supervisor.state === "started" && supervisor.snapshot().ready) {
      isTold = true;
      tell({ READY: 1, MAINPID: process.pid, STATUS: "ready" });
    }
  };
}
