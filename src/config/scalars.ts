// The small values of a config: durations, addresses, and numbers and booleans that may arrive as text. Each is one zod schema
// shared by the keys that use it; what a key means, and its default, stands with the key.
import * as z from "zod/mini";

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

/** `250ms`, `5s`, `2m`, `1h`, at most 596h; becomes milliseconds. */
export const duration = z.pipe(
  z.string({ error: wrongDuration }).check(
    z.regex(/^\d+(ms|s|m|h)$/, { error: wrongDuration }),
    z.refine((text) => !(toMs(text) > DURATION_MAX_MS), { error: "expected at most 596h" }),
  ),
  z.transform(toMs),
);

/** A duration that is not 0. */
export const span = duration.check(z.minimum(1, { error: "expected more than 0s" }));

const toNumber = z.transform((value) =>
  typeof value === "string" && value.trim() !== "" ? numberOf(value) : value,
);
const toBoolean = z.transform((value) => (value === "true" ? true : value === "false" ? false : value));

function numberOf(text: string): unknown {
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

export const number = z.pipe(toNumber, z.number());
export const boolean = z.pipe(toBoolean, z.boolean());
export const off = z.pipe(toBoolean, z.literal(false));

/** A whole number within bounds. */
export function whole(minimum: number, maximum: number) {
  return z.pipe(toNumber, z.int().check(z.minimum(minimum), z.maximum(maximum)));
}

const HOST_PORT = /^(?:\[([\da-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/;

/** `127.0.0.1:6379` or `[::1]:6379`; becomes `{host, port}`. */
export const hostPort = z.pipe(
  z.string().check(
    z.regex(HOST_PORT, { error: 'expected "host:port" such as "127.0.0.1:6379"' }),
    z.refine((text) => Number(/\d+$/.exec(text)?.[0] ?? 0) <= 65_535, {
      error: "expected a port up to 65535",
    }),
  ),
  z.transform((text) => {
    const [, ipv6, host, port] = HOST_PORT.exec(text) ?? [];
    return { host: ipv6 ?? host ?? "", port: Number(port) };
  }),
);

/** An `http:` or `https:` URL. */
export const httpUrl = z.string().check(
  z.refine((text) => /^https?:\/\//.test(text) && URL.canParse(text), {
    error: 'expected a URL such as "http://127.0.0.1:8080/health"',
  }),
);

/** A regular expression as JavaScript reads it. */
export const pattern = z.string().check(
  z.refine(
    (text) => {
      try {
        return text !== "" && new RegExp(text) instanceof RegExp;
      } catch {
        return false;
      }
    },
    { error: "expected a regular expression" },
  ),
);
