// What was measured as a page for people: the table, the machine, how to repeat it, which targets are missed and why.
import { cpus, loadavg, totalmem } from "node:os";
import type { Outcome, Row } from "./row.ts";

/** Markdown. */
export function resultsPage(outcomes: readonly { row: Row; outcome: Outcome }[]): string {
  const rows = outcomes.map(({ row, outcome }) => {
    if ("missing" in outcome) return [row.name, "–", "–", "–", "–", "–", outcome.missing];
    const { value, unit, floor, ratio, target, ok, note = "" } = outcome;
    return [row.name, `${value} ${unit}`, floor, `${ratio} ×`, target, ok ? "met" : "missed", note];
  });
  const missed = outcomes.filter(({ outcome }) => !("missing" in outcome) && !outcome.ok);
  return [
    "# The last run of the bench",
    "",
    `Written by \`bun run bench --write\` on ${new Date().toISOString().slice(0, 10)}, with Bun ${Bun.version}, on ${machine()}.`,
    "Every row is measured side by side with its floor, taking turns, and the median counts: on a machine that others use too the",
    "ratios say more than the milliseconds. Where more wants to run than there are cores, those of short rows rise, too: the threads",
    "that help a start stand in line. What a row measures is said at the top of its file in this folder. Other supervisors do the",
    "same work in the rows of processes, those of them that were on PATH.",
    "",
    ...table([["row", "value", "floor", "ratio", "target", "", "beside it"], ...rows]),
    "",
    "To repeat it: `bun install --frozen-lockfile`, then `bun run bench`, or `bun run bench ROW…` for some of it. It needs a C",
    "compiler, wrk and haproxy (`apt-get install gcc libc6-dev wrk haproxy`). Other supervisors are run when they are on PATH; what",
    "carries out steps durably when it is installed in the folder `BENCH_PEERS`: `bun add @dbos-inc/dbos-sdk bullmq ioredis",
    "@restatedev/restate-sdk @restatedev/restate-server`, with Postgres and Redis on PATH.",
    "",
    "## Missed targets",
    "",
    ...(missed.length === 0 ? ["None."] : missed.map(({ row }) => `- **${row.name}**: ${row.cost}`)),
    "",
  ].join("\n");
}

function machine(): string {
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  return `a Linux machine of ${cpus().length} virtual cores and ${memoryGib} GiB that is shared with other work (load ${loadavg()[0]?.toFixed(1)})`;
}

function table([head = [], ...rows]: (string | number)[][]): string[] {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
}
