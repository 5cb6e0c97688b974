// `HARAKA_FAILPOINT=LABEL[:N]`: kills this process with SIGKILL the N-th time it reaches LABEL, the first time without N. The
// kernel does it, so nothing is flushed, closed or said, as when the power goes for this process alone.
import process from "node:process";
import { UsageError } from "../errors.ts";
import { type Failpoint, type FailpointLabel, FAILPOINTS } from "../ports/failpoint.ts";

const disarmed: Failpoint = () => {};

export interface FailpointOptions {
  pid?: number;
  /** What happens at the point. */
  kill?: () => void;
}

/** Throws `UsageError` for a label that there is not, and as PID 1, which survives its own SIGKILL. */
export function failpointOf(
  word: string | undefined,
  { pid = process.pid, kill = () => void process.kill(pid, "SIGKILL") }: FailpointOptions = {},
): Failpoint {
  if (word === undefined || word === "") return disarmed;
  const refuse = (reason: string) => new UsageError(`cannot use HARAKA_FAILPOINT=${word}: ${reason}`);
  const [, label = "", times = "1"] = /^([^:]*)(?::([1-9]\d*))?$/.exec(word) ?? [];
  if (!isLabel(label)) {
    const labels = Object.keys(FAILPOINTS).join(", ");
    throw refuse(`it is LABEL or LABEL:N, with N from 1 and LABEL one of ${labels}`);
  }
  if (pid === 1) throw refuse("PID 1 survives its own SIGKILL; run it under another process");
  let left = Number(times);
  return (reached) => {
    if (reached === label && --left === 0) kill();
  };
}

function isLabel(label: string): label is FailpointLabel {
  return Object.hasOwn(FAILPOINTS, label);
}
