// The plane and its store as the runtime uses them, and the rules between their keys. It makes paths and opens nothing.
import type { PlaneConfig, StoreConfig } from "./config.ts";
import { resolvePath } from "./files.ts";
import { isMap, type Path, type RawMap } from "./path.ts";
import type { RawPlane, RawStore } from "./plane-schema.ts";
import { resolveRedis } from "./redis-store.ts";

export interface PlaneScope {
  /** Of the runtime. */
  name: string;
  stateFolder: string;
  report(path: Path, message: string, part?: "key" | "value"): void;
}

/** A `store` by itself is a plane, too. */
export function withPlane(merged: RawMap): RawMap {
  return merged["store"] !== undefined && merged["plane"] === undefined ? { ...merged, plane: {} } : merged;
}

/** Whether there is to be a plane, right or wrong. */
export function wantsPlane(root: unknown): boolean {
  return isMap(root) && root["plane"] !== undefined;
}

const RETENTION_MS_MIN = 24 * 3_600_000;

export function resolvePlane(
  { plane, store }: { plane: RawPlane; store: RawStore | undefined },
  scope: PlaneScope,
): PlaneConfig {
  const { auth, sessions, retention, limits } = plane;
  checkAuth(auth, scope);
  const retentionMs = retention === "forever" ? Infinity : retention;
  if (retentionMs < RETENTION_MS_MIN)
    scope.report(["plane", "retention"], `a key is to be known for a day at least: write 24h or more`);
  return {
    store: resolveStore(store ?? { driver: "sqlite" }, scope),
    ...(auth && { auth }),
    sessions: { idleMs: sessions.idle, absoluteMs: sessions.absolute },
    retentionMs,
    limits: { bodyBytes: limits.body, keyBytes: limits.key, pageItems: limits.page },
  };
}

function resolveStore(raw: RawStore, scope: PlaneScope): StoreConfig {
  const { driver, path, ...redis } = raw;
  const { stateFolder, report } = scope;
  if (driver === "redis") return resolveRedis(raw, scope) ?? { driver: "memory" };
  for (const key of Object.keys(redis)) report(["store", key], `\`${key}\` is for \`driver: redis\``, "key");
  if (driver === "sqlite") return { driver, path: resolvePath(stateFolder, path ?? "haraka.db") };
  if (path !== undefined) report(["store", "path"], "`path` is for `driver: sqlite`", "key");
  return { driver };
}

function checkAuth(auth: RawPlane["auth"], { report }: PlaneScope): void {
  if (!auth) return;
  const path = ["plane", "auth"];
  if (auth.tokens.length === 0 && !auth.jwt) {
    report(path, "nobody could use the plane: add `tokens` or `jwt`, or leave `auth` out", "key");
  }
  const seen = new Set<string>();
  for (const [index, { token }] of auth.tokens.entries()) {
    if (seen.has(token)) report([...path, "tokens", index, "token"], "this token is listed twice");
    seen.add(token);
  }
}
