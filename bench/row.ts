// What a row of the bench is: a figure, the floor it stands on, and the target it is held to (docs: DESIGN section 13).

export interface Row {
  name: string;
  unit: "ms" | "requests/s" | "records/s" | "steps/s" | "MB/s" | "MB" | "failed";
  target: Target;
  /** Where the time goes that the floor does not take: said where the target is missed. */
  cost: string;
  /** Rejects with `MissingTool` when something it needs is not on this machine. */
  measure(): Promise<Measurement>;
}

export type Target =
  { ratioMax: number } | { ratioMin: number } | { valueMax: number } | { valueMin: number };

export interface Measurement {
  value: number;
  /** What cannot be beaten: measured in the same run, or what the task itself demands. */
  floor: number;
  /** What else was measured, in words. */
  note?: string;
}

/** A program of the machine that a row needs. Its message says how to get it. */
export class MissingTool extends Error {}

/** What came of one row; without a figure, why there is none. */
export type Outcome = Result | { row: string; missing: string; failed?: true };

/** Never rejects: a row that fails is no reason to lose the others. */
export async function outcomeOf(row: Row): Promise<Outcome> {
  try {
    return resultOf(row, await row.measure());
  } catch (error) {
    if (error instanceof MissingTool) return { row: row.name, missing: `missing: ${error.message}` };
    const [first = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    return { row: row.name, missing: `failed: ${first}`, failed: true };
  }
}

/** What one row prints. */
export interface Result {
  row: string;
  value: number;
  unit: Row["unit"];
  floor: number;
  ratio: number;
  target: string;
  ok: boolean;
  note?: string;
}

function resultOf({ name, unit, target }: Row, { value, floor, note }: Measurement): Result {
  // None of none is as good as it gets.
  const ratio = value === floor ? 1 : value / floor;
  return {
    row: name,
    value: round(value),
    unit,
    floor: round(floor),
    ratio: round(ratio),
    target: inWords(target, unit),
    ok: isMet(target, { value, ratio }),
    ...(note !== undefined && { note }),
  };
}

function isMet(target: Target, { value, ratio }: { value: number; ratio: number }): boolean {
  if ("valueMax" in target) return value <= target.valueMax;
  if ("valueMin" in target) return value >= target.valueMin;
  return "ratioMax" in target ? ratio <= target.ratioMax : ratio >= target.ratioMin;
}

function inWords(target: Target, unit: string): string {
  if ("valueMax" in target) return `≤ ${target.valueMax} ${unit}`;
  if ("valueMin" in target) return `≥ ${target.valueMin} ${unit}`;
  return "ratioMax" in target ? `≤ ${target.ratioMax} ×` : `≥ ${target.ratioMin} ×`;
}

/** Three digits behind the point, and none behind that of large numbers. */
export function round(value: number): number {
  return value >= 1000 ? Math.round(value) : Math.round(value * 1000) / 1000;
}
