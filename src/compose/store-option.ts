// The store as code asks for it: as under `store` in a config, or as a URL. It is checked where it is written, and what it means is
// what it means in a config. Needs no `node:`, and opens nothing.
import { acceptSpan } from "../config/accept.ts";
import { readStoreUrl, withoutPassword } from "../config/store-url.ts";
import { UsageError } from "../errors.ts";
import { checkOptions, isObject, OBJECT, oneOf, type Rule, type Rules } from "./option-rules.ts";

/**
 * `sqlite:PATH`, relative to the working directory, `redis://HOST:PORT/0?namespace=NAME` or `memory`; or as in a config.
 */
export type StoreOption = string | { driver: "memory" } | { driver: "sqlite"; path?: string } | RedisOption;

/** What is left out is as in a config. */
interface RedisOption {
  driver: "redis";
  /** Where it is: one of these three. */
  url?: string;
  cluster?: readonly string[];
  sentinel?: { master: string; nodes: readonly string[] };
  /** What all of its keys begin with. Default: the `name` of the runtime, else `haraka`. */
  namespace?: string;
  /** A time such as `5s`. */
  lease?: { ttl?: string };
  checks?: "refuse" | "warn";
  replicas?: number;
}

interface Scope {
  /** How a message begins. */
  cannot: string;
  cwd: string;
}

/** For who takes it among other options. */
export const STORE_RULE: Rule = {
  expected: `a URL, as "sqlite:data/app.db" or "redis://127.0.0.1:6379/0", or "memory", or an object`,
  holds: (value) => typeof value === "string" || isObject(value),
};

/** As it would stand in a config. Throws `UsageError` for what it cannot be. */
export function storeIn(store: StoreOption | undefined, { cannot, cwd }: Scope): object | undefined {
  if (typeof store === "string") return storeAt(store, { cannot, cwd });
  if (store === undefined) return undefined;
  checkOptions<object>(store, { cannot, path: "store.", rules: STORE });
  if (store.driver !== "redis") return store;
  const { lease = {}, sentinel } = store;
  checkOptions(lease, { cannot, path: "store.lease.", rules: LEASE });
  if (!sentinel) return store;
  checkOptions(sentinel, { cannot, path: "store.sentinel.", rules: SENTINEL });
  for (const key of ["master", "nodes"] as const)
    if (sentinel[key] === undefined) throw new UsageError(`${cannot}: store.sentinel has no ${key}`);
  return store;
}

function storeAt(url: string, { cannot, cwd }: Scope): object {
  const named = readStoreUrl(url, { cwd });
  if (named) return named;
  const expected = `expected "sqlite:PATH", as "sqlite:data/app.db", "redis://HOST:PORT/0?namespace=NAME", or "memory"`;
  throw new UsageError(`${cannot}: store is "${withoutPassword(url)}"; ${expected}`);
}

const FILLED: Rule = {
  expected: "a text that is not empty",
  holds: (value) => typeof value === "string" && value !== "",
};
const NODES: Rule = {
  expected: "a list of URLs, as redis://127.0.0.1:6379",
  holds: (value) => Array.isArray(value) && value.length > 0 && value.every((each) => FILLED.holds(each)),
};
const STORE: Rules<Record<"path" | keyof RedisOption, unknown>> = {
  driver: oneOf("sqlite", "redis", "memory"),
  path: FILLED,
  url: FILLED,
  cluster: NODES,
  sentinel: OBJECT,
  namespace: FILLED,
  lease: OBJECT,
  checks: oneOf("refuse", "warn"),
  replicas: {
    expected: "a whole number from 0 up to 100",
    holds: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 100,
  },
};
const LEASE: Rules<NonNullable<RedisOption["lease"]>> = {
  ttl: { expected: 'a duration such as "5s"', holds: (value) => acceptSpan(value) !== undefined },
};
const SENTINEL: Rules<NonNullable<RedisOption["sentinel"]>> = { master: FILLED, nodes: NODES };
