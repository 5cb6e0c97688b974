// `bun run bench [ROW…] [--json] [--write]`: measures the rows, all without a name, and prints a table, or one JSON object a line;
// `--write` also makes RESULTS.md of it. It judges no test: a missed target is printed, and the exit code stays 0; that of a row
// which could not be measured is 1.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bootToReady } from "./boot.ts";
import { health20 } from "./health.ts";
import { idle } from "./idle.ts";
import { logsMbps } from "./logs.ts";
import { modules50Start, modules50Stop } from "./modules.ts";
import { noop1000 } from "./noop.ts";
import { chain20, fanout99, stop20 } from "./processes.ts";
import { redisSteps1, redisSteps64, redisSteps8 } from "./redis.ts";
import { restartLatency } from "./restart.ts";
import { resultsPage } from "./results.ts";
import { type Outcome, outcomeOf, type Row } from "./row.ts";
import { recovery100k } from "./recovery.ts";
import { rolling } from "./rolling.ts";
import { durableSteps1, durableSteps64, durableSteps8 } from "./steps.ts";
import { loopStall, walAppends } from "./wal.ts";

/** Those of CONTRACT section 8, then two more. */
const ROWS: readonly Row[] = [
  bootToReady,
  chain20,
  fanout99,
  stop20,
  modules50Start,
  modules50Stop,
  noop1000,
  restartLatency,
  health20,
  logsMbps,
  durableSteps1,
  durableSteps8,
  durableSteps64,
  walAppends,
  redisSteps1,
  redisSteps8,
  redisSteps64,
  recovery100k,
  loopStall,
  idle,
  rolling,
];
const WIDTHS = [17, 9, 11, 9, 7, 9, 5];

function line(cells: readonly (string | number)[]): string {
  return cells.map((cell, index) => String(cell).padEnd(WIDTHS[index] ?? 0)).join(" ");
}

function inTable(outcome: Outcome): string {
  if ("missing" in outcome) return line([outcome.row, outcome.missing]);
  const { row, value, unit, floor, ratio, target, ok, note = "" } = outcome;
  return line([row, value, unit, floor, ratio, target, ok ? "ok" : "miss", note]).trimEnd();
}

function chosen(words: string[]): { rows: readonly Row[]; json: boolean; write: boolean } {
  const { values, positionals } = parseArgs({
    args: words,
    options: { json: { type: "boolean", default: false }, write: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const unknown = positionals.find((name) => !ROWS.some((row) => row.name === name));
  if (unknown !== undefined)
    throw new Error(`unknown row '${unknown}'; choose from ${ROWS.map(({ name }) => name).join(" ")}`);
  const rows = positionals.length === 0 ? ROWS : ROWS.filter(({ name }) => positionals.includes(name));
  return { rows, json: values.json, write: values.write };
}

async function main(): Promise<number> {
  let choice: ReturnType<typeof chosen>;
  try {
    choice = chosen(process.argv.slice(2));
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
  if (!choice.json) console.log(line(["row", "value", "unit", "floor", "ratio", "target", "", "note"]));
  const outcomes: { row: Row; outcome: Outcome }[] = [];
  for (const row of choice.rows) {
    const outcome = await outcomeOf(row);
    outcomes.push({ row, outcome });
    console.log(choice.json ? JSON.stringify(outcome) : inTable(outcome));
  }
  if (choice.write) await Bun.write(join(import.meta.dir, "RESULTS.md"), resultsPage(outcomes));
  return outcomes.some(({ outcome }) => "failed" in outcome) ? 1 : 0;
}

process.exit(await main());
