// The small values of a config: durations, addresses, and numbers and booleans that may arrive as text. Each is one zod schema
// shared by the keys that use it; what a key means, and its default, stands with the key.
import type * as zod from "zod/mini";

/** What a schema is built with: zod, or the short way in `accept.ts`. */
export type Zod = typeof zod;

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** A timer of a JavaScript runtime cannot wait longer. */
const DURATION_MAX_MS = 2 ** 31 - 1;

function toMs(text: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  return Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
}

function wrongDuration({ input }: { input?: unknown }): string {
  const expected = "expected a duration such as 250ms, 5s, 2m or 1h";
  const bare = /^\d+$/.test(String(input));
  return bare
    ? `${expected}, got ${String(input)} without a unit: write ${String(input)}s or ${String(input)}ms`
    : expected;
}

function numberOf(text: string): unknown {
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

const HOST_PORT = /^(?:\[([\da-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/;

function isPort(number: number): boolean {
  return number >= 1 && number <= 65_535;
}

function isPattern(text: string): boolean {
  try {
    return text !== "" && new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

/** All of them, as schemas of `z`. */
export function scalarsOf(z: Zod) {
  /** `250ms`, `5s`, `2m`, `1h`, at most 596h; becomes milliseconds. */
  const duration = z.pipe(
    z.string({ error: wrongDuration }).check(
      z.regex(/^\d+(ms|s|m|h)$/, { error: wrongDuration }),
      z.refine((text) => !(toMs(text) > DURATION_MAX_MS), { error: "expected at most 596h" }),
    ),
    z.transform(toMs),
  );

  /** A duration that is not 0. */
  const span = duration.check(z.minimum(1, { error: "expected more than 0s" }));

  const toNumber = z.transform((value) =>
    typeof value === "string" && value.trim() !== "" ? numberOf(value) : value,
  );
  const toBoolean = z.transform((value) => (value === "true" ? true : value === "false" ? false : value));

  const number = z.pipe(toNumber, z.number());
  const boolean = z.pipe(toBoolean, z.boolean());
  const off = z.pipe(toBoolean, z.literal(false));

  /** A whole number within bounds. */
  const whole = (minimum: number, maximum: number) =>
    z.pipe(toNumber, z.int().check(z.minimum(minimum), z.maximum(maximum)));

  /** `127.0.0.1:6379` or `[::1]:6379`; becomes `{host, port}`. */
  const hostPort = z.pipe(
    z.string().check(
      z.regex(HOST_PORT, { error: 'expected "host:port" such as "127.0.0.1:6379"' }),
      z.refine((text) => isPort(Number(/\d+$/.exec(text)?.[0] ?? 1)), {
        error: "expected a port from 1 to 65535",
      }),
    ),
    z.transform((text) => {
      const [, ipv6, host, port] = HOST_PORT.exec(text) ?? [];
      return { host: ipv6 ?? host ?? "", port: Number(port) };
    }),
  );

  /** An `http:` or `https:` URL. */
  const httpUrl = z.string().check(
    z.refine((text) => /^https?:\/\//.test(text) && URL.canParse(text), {
      error: 'expected a URL such as "http://127.0.0.1:8080/health"',
    }),
  );

  /** A regular expression as JavaScript reads it. */
  const pattern = z.string().check(z.refine(isPattern, { error: "expected a regular expression" }));

  return { boolean, duration, hostPort, httpUrl, number, off, pattern, span, whole };
}
