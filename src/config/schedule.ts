// The times of a scheduled task: what is wrong with a cron text or the name of a time zone, and when it is due, as the library
// that counts them reads it. It keeps no timer. The library is loaded only when a config has a schedule.
import type { ScheduleConfig } from "./config.ts";

/** Where it can be done at once, which is Bun, the library is loaded when first needed. */
const loaded = typeof Bun === "undefined" ? await import("croner") : undefined;
const croner = (): typeof import("croner") => loaded ?? require("croner");

const ADVICE =
  'write five fields, as "*/5 * * * *", six with seconds before them, or @hourly, @daily, @weekly, @monthly, @yearly';

/** Any time does: what is due once a leap year is due after it, too. */
const SOME_TIME = "2024-01-01T00:00:00";

/** What is wrong with a cron text, or `undefined`. */
export function cronProblem(cron: string): string | undefined {
  const fields = cron.trim().split(/\s+/);
  const refuse = (reason: string) => `cannot read the schedule "${cron}": ${reason}; ${ADVICE}`;
  if (fields.length === 1 && !cron.trim().startsWith("@")) return refuse("it has 1 field");
  if (fields.length > 1 && fields.length !== 5 && fields.length !== 6) {
    return refuse(`it has ${fields.length} fields`);
  }
  try {
    const job = new (croner().Cron)(cron, { paused: true, timezone: "UTC" });
    if (job.nextRun(SOME_TIME) !== null) return undefined;
    return `the schedule "${cron}" is never due: none of its months has such a day`;
  } catch (error) {
    if (fields.length === 1) return refuse(`"${cron.trim()}" is not known`);
    const reason = error instanceof Error ? error.message : String(error);
    return refuse(reason.replace(/^Cron\w+: /, "").replace(/\.$/, ""));
  }
}

/** The first time after `afterMs`, both in milliseconds since the Unix epoch; absent: never again. Expects what has no problem. */
export function timesOf({ cron, timeZone }: Pick<ScheduleConfig, "cron" | "timeZone">): {
  next(afterMs: number): number | undefined;
} {
  const zone = timeZone === undefined ? {} : { timezone: timeZone };
  const job = new (croner().Cron)(cron, { paused: true, mode: "5-or-6-parts", ...zone });
  return { next: (afterMs) => job.nextRun(new Date(afterMs))?.getTime() };
}

/** Whether this machine's JavaScript knows the time zone. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}
