// How everything is measured: the contenders take turns, so that what disturbs the machine disturbs them all, and the median
// counts. It measures nothing itself.

export interface Rounds {
  /** How many count. */
  count: number;
  /** How many are run before, and thrown away. Default 1. */
  warmUp?: number;
}

/** Runs the contenders A B A B …; each one's median of what its runs gave. */
export async function alternate<Name extends string>(
  { count, warmUp = 1 }: Rounds,
  contenders: Record<Name, () => Promise<number>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(contenders) as Name[];
  const taken = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = -warmUp; round < count; round++) {
    for (const name of names) {
      const value = await contenders[name]();
      if (round >= 0) taken[name].push(value);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(taken[name])])) as Record<Name, number>;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? NaN;
  const high = sorted[Math.floor(middle)] ?? NaN;
  return (low + high) / 2;
}
