// Names for what the plane makes. Those of executions sort by when they were made, so that a list of them needs no index of its own;
// those of events are only unique. None of them but a token is a secret.

export interface Ids {
  /** `execution_` and 32 hexadecimal digits: milliseconds, a count within them, and 64 random bits. */
  execution(nowMs: number): string;
  /** `event_…` */
  event(): string;
  /** Of an owner: 128 random bits. */
  token(): string;
}

const COUNT_MAX = 0xffff;

export function newIds(): Ids {
  let lastMs = 0;
  let count = 0;
  let events = 0;
  const maker = randomHex(8);
  return {
    execution(nowMs) {
      if (nowMs > lastMs || count === COUNT_MAX) {
        lastMs = Math.max(lastMs + 1, Math.floor(nowMs));
        count = 0;
      } else count++;
      const time = lastMs.toString(16).padStart(12, "0");
      return `execution_${time}${count.toString(16).padStart(4, "0")}${randomHex(8)}`;
    },
    event: () => `event_${maker}${(events++).toString(36)}`,
    token: () => randomHex(16),
  };
}

/** Whether it can be an execution's. */
export const isExecutionId = (text: string): boolean => /^execution_[0-9a-f]{32}$/.test(text);

/** When an execution was made, by the clock of whoever made it; 0 for a name that is none of these. */
export function createdMsOf(execution: string): number {
  return Number.parseInt(digitsOf(execution).slice(0, 12), 16) || 0;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Two digits for each byte. */
function randomHex(bytes: number): string {
  let text = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(bytes))) text += HEX[byte];
  return text;
}

/** What tells this execution from all others, without its prefix. */
const digitsOf = (execution: string): string => execution.slice("execution_".length);

export function sagaIdOf(execution: string): string {
  return `saga_${digitsOf(execution)}`;
}

/** One trace for all calls of an execution, a span for each (W3C Trace Context). */
export function traceparentOf(execution: string): string {
  return `00-${digitsOf(execution)}-${randomHex(8)}-01`;
}
