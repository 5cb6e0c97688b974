// Who of several replicas should have how many of the executions that are open, from what each of them says of itself. It moves none.

export interface ReplicaNews {
  /** It is not up yet, and begins nothing. */
  starting: boolean;
  /** How many executions it has that may have something to do. */
  open: number;
  /** Of what it can carry out. */
  definitions: readonly string[];
}

/** So many more than its share one may have: below that it is not worth a round trip each. */
const SLACK = 2;

/** How many each of those that run should have. */
export function shareOf(replicas: readonly ReplicaNews[]): number {
  const running = replicas.filter(({ starting }) => !starting);
  const open = replicas.reduce((sum, replica) => sum + replica.open, 0);
  return running.length === 0 ? Infinity : Math.ceil(open / running.length);
}

/** How many `own` should leave to others, and what these can carry out. */
export function surplusOf(
  own: ReplicaNews,
  others: readonly ReplicaNews[],
): { count: number; takers: ReadonlySet<string> } {
  const share = shareOf([own, ...others]);
  const below = others.filter(({ starting, open }) => !starting && open < share);
  const over = own.starting ? own.open : own.open - share;
  const isWorthIt = own.starting || over > SLACK;
  return {
    count: isWorthIt && below.length > 0 ? over : 0,
    takers: new Set(below.flatMap(({ definitions }) => definitions)),
  };
}

/** How many `own` should take of what others leave. */
export function lackOf(own: ReplicaNews, others: readonly ReplicaNews[]): number {
  if (own.starting || others.length === 0) return 0;
  const lack = shareOf([own, ...others]) - own.open;
  return lack > SLACK ? lack : 0;
}
