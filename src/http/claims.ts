// Which methods and paths a service's own Hono app answers, and whether it may: the runtime's paths and those of another
// service are refused by name. It looks at routes only, never at a request.
import type { Hono } from "hono";
import { inspectRoutes } from "hono/dev";
import { UsageError } from "../errors.ts";
import { HEALTH_PATHS } from "./health.ts";

export interface Claim {
  /** Upper case; `ALL` for every method. */
  method: string;
  path: string;
  /** It may hand on instead of answering, so it takes the path from nobody. */
  middleware: boolean;
}

/** What the runtime has in any case; there may be more. */
const RESERVED_PATHS: readonly string[] = [...HEALTH_PATHS.keys(), "/api/v1"];

/** Every route of the app, in the order of registration, each once. */
export function claimsOf(app: Hono): Claim[] {
  const claims = new Map<string, Claim>();
  for (const { method, path, isMiddleware: middleware } of inspectRoutes(app)) {
    claims.set(`${method} ${path} ${middleware}`, { method, path, middleware });
  }
  return [...claims.values()];
}

/** The path of a request is the runtime's, whoever takes every path. `more`: what it has beside what it always has. */
export function isReserved(path: string, more: readonly string[]): boolean {
  return holderOf(path, more) !== undefined;
}

function holderOf(path: string, more: readonly string[]): string | undefined {
  return [...RESERVED_PATHS, ...more].find((taken) => path === taken || path.startsWith(`${taken}/`));
}

/** Throws `UsageError` if a claim is on a path of the runtime. */
export function refuseReserved(
  { service, claims }: { service: string; claims: readonly Claim[] },
  more: readonly string[],
): void {
  for (const { method, path } of claims) {
    const reserved = holderOf(path, more);
    if (reserved === undefined) continue;
    throw new UsageError(
      `cannot mount "${method} ${path}" of service "${service}": "${reserved}" belongs to the runtime; choose another path`,
    );
  }
}

/** Throws `UsageError` if both services answer the same method and path. */
export function refuseShared(
  newcomer: { service: string; claims: readonly Claim[] },
  holder: { service: string; claims: readonly Claim[] },
): void {
  for (const claim of newcomer.claims) {
    if (claim.middleware || !holder.claims.some((held) => isSame(claim, held))) continue;
    throw new UsageError(
      `cannot mount "${claim.method} ${claim.path}" of service "${newcomer.service}": service "${holder.service}" answers it already; choose another path`,
    );
  }
}

function isSame(one: Claim, other: Claim): boolean {
  const methodsMeet = one.method === other.method || one.method === "ALL" || other.method === "ALL";
  return !other.middleware && methodsMeet && shapeOf(one.path) === shapeOf(other.path);
}

/** The path without the names of its parameters: `/users/:id` and `/users/:name` are one. */
function shapeOf(path: string): string {
  return path.replace(/:[^/{?]+/g, ":");
}
