// When a scheduled task is due: the croner library read as a Schedule. It keeps no timer of its own.
import { Cron } from "croner";
import type { ScheduleConfig } from "../config/config.ts";

/** The times of a schedule, in milliseconds since the Unix epoch. Expects one that the config has accepted. */
export function cronSchedule({ cron, timeZone }: Pick<ScheduleConfig, "cron" | "timeZone">): {
  next(afterMs: number): number | undefined;
} {
  const job = new Cron(cron, {
    paused: true,
    mode: "5-or-6-parts",
    ...(timeZone !== undefined && { timezone: timeZone }),
  });
  return { next: (afterMs) => job.nextRun(new Date(afterMs))?.getTime() };
}
