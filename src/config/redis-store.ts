// Where Redis is and how it is used, from the keys of `store`, and the rules between them. It reaches nobody.
import type { RedisStoreConfig } from "./config.ts";
import type { Path } from "./path.ts";
import type { RawStore } from "./plane-schema.ts";

/** How long an execution is its owner's without a sign, unless it is said. */
export const LEASE_MS = 5_000;

const PLACES = ["url", "cluster", "sentinel"] as const;

/** `undefined` once it has reported why not. */
export function resolveRedis(
  { lease, checks = "refuse", replicas = 0, ...raw }: RawStore,
  { name, report }: { name: string; report(path: Path, message: string, part?: "key" | "value"): void },
): RedisStoreConfig | undefined {
  const { namespace = name } = raw;
  let isRight = true;
  const wrong = (path: Path, message: string, part?: "key" | "value"): void => {
    isRight = false;
    report(["store", ...path], message, part);
  };
  if (raw.path !== undefined) wrong(["path"], "`path` is for `driver: sqlite`", "key");
  if (!isNamespace(namespace))
    wrong(["namespace"], "a namespace has no braces: they say where in a cluster a key lies");
  const named = PLACES.filter((key) => raw[key] !== undefined);
  if (named.length === 0)
    wrong(["driver"], "say where Redis is: `url`, as redis://127.0.0.1:6379/0, `cluster` or `sentinel`");
  for (const key of named.slice(1)) wrong([key], `there is \`${named[0]}\` already; say one of them`, "key");
  const { url, cluster = [], sentinel } = raw;
  const check = (text: string, path: Path, isNode: boolean): void => {
    const problem = redisUrlProblem(text, { isNode });
    if (problem !== undefined) wrong(path, problem);
  };
  if (url !== undefined) check(url, ["url"], false);
  for (const [index, node] of cluster.entries()) check(node, ["cluster", index], true);
  for (const [index, node] of (sentinel?.nodes ?? []).entries())
    check(node, ["sentinel", "nodes", index], false);
  if (!isRight) return undefined;
  return {
    driver: "redis",
    place: url !== undefined ? { url } : sentinel ? { sentinel } : { cluster },
    namespace,
    leaseMs: lease?.ttl ?? LEASE_MS,
    checks,
    replicas,
  };
}

/** Whether keys that begin with it would keep what says where in a cluster they lie. */
export const isNamespace = (text: string): boolean => !/[{}\0]/.test(text);

/** `isNode`: of a cluster. */
export function redisUrlProblem(text: string, { isNode = false } = {}): string | undefined {
  const url = URL.parse(text);
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === "" || url.search !== "" || url.hash !== "")
    return "expected redis://HOST:PORT, or rediss:// for TLS, USER:PASSWORD@ before the host";
  if (isNode && !/^\/?0?$/.test(url.pathname)) return "a cluster has database 0 only";
  if (!/^\/?\d*$/.test(url.pathname)) return "what stands behind the host is the number of a database";
  return undefined;
}
