// The small values of a config: addresses, and numbers and booleans that may arrive as text. Each is one schema shared by the keys
// that use it; what a key means, and its default, stands with the key.
import type * as zod from "zod/mini";
import { isPort } from "./port.ts";
import { isTenantName, TENANT_RULE } from "./tenant-name.ts";

/** What a schema is built with: zod, or the short way in `accept.ts`. */
export type Zod = typeof zod;

function numberOf(text: string): unknown {
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

const HOST_PORT = /^(?:\[([\da-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/;

function isPattern(text: string): boolean {
  try {
    return text !== "" && new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

/** All of them, as schemas of `z`. */
export function scalarsOf(z: Zod) {
  const toNumber = z.transform((value) =>
    typeof value === "string" && value.trim() !== "" ? numberOf(value) : value,
  );
  const toBoolean = z.transform((value) => (value === "true" ? true : value === "false" ? false : value));

  const number = z.pipe(toNumber, z.number());
  const boolean = z.pipe(toBoolean, z.boolean());
  const off = z.pipe(toBoolean, z.literal(false));
  const on = z.pipe(toBoolean, z.literal(true));

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

  const tenant = z.string().check(z.refine(isTenantName, { error: TENANT_RULE }));

  return { boolean, hostPort, httpUrl, number, off, on, pattern, tenant, whole };
}
