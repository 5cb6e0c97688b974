// The URL of a store, as code and the command line name one: read here and nowhere else, so that it means the same to all. What it does
// not say is for whoever asked. It opens nothing.
import { resolvePath } from "./files.ts";
import { redisUrlProblem } from "./redis-store.ts";

/** As under `store` in a config; `path` is absolute. */
export type NamedStore =
  | { driver: "memory" }
  | { driver: "sqlite"; path: string }
  | { driver: "redis"; url: string; namespace?: string };

/**
 * `sqlite:PATH`, relative to `cwd`, `redis[s]://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?namespace=NAME]`, or `memory`, with or without a
 * colon; `undefined`: it is none of these.
 */
export function readStoreUrl(text: string, { cwd }: { cwd: string }): NamedStore | undefined {
  if (/^memory:?$/.test(text)) return { driver: "memory" };
  const path = /^sqlite:(.+)$/s.exec(text)?.[1];
  if (path !== undefined) return { driver: "sqlite", path: resolvePath(cwd, path) };
  return readRedisUrl(text);
}

function readRedisUrl(text: string): NamedStore | undefined {
  const url = URL.parse(text);
  if (!url || !/^rediss?:$/.test(url.protocol)) return undefined;
  const { namespace, ...others } = Object.fromEntries(url.searchParams);
  url.search = "";
  if (namespace === "" || Object.keys(others).length > 0 || redisUrlProblem(url.href) !== undefined)
    return undefined;
  return { driver: "redis", url: url.href, ...(namespace !== undefined && { namespace }) };
}

/** For messages. */
export const withoutPassword = (url: string): string => url.replace(/\/\/[^@/]*@/, "//");
