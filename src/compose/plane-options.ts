// The plane as code asks for it: as under `plane` in a config, over the store that is asked for beside it. Every part is checked where it
// is written, and what it means is what it means there. Needs no `node:`, and opens nothing.
import { acceptPlane, acceptSize, acceptSpan } from "../config/accept.ts";
import type { PlaneConfig } from "../config/config.ts";
import { resolvePlane } from "../config/plane.ts";
import { UsageError } from "../errors.ts";
import { checkOptions, isObject, LIST, OBJECT, type Rule, type Rules, TENANT } from "./option-rules.ts";
import { STORE_RULE, storeIn, type StoreOption } from "./store-option.ts";

/** What is left out is as in a config. */
export interface PlaneOptions {
  /** Times such as `30m`. */
  sessions?: { idle?: string; absolute?: string };
  /** A time of 24 hours at least, such as `168h`, or `forever`: how long the log and what has ended are kept. */
  retention?: string;
  /** `body`: a size such as `1MiB`, of a payload, too; `key`: bytes of a name; `page`: items of a list. */
  limits?: { body?: string; key?: number; page?: number };
}

export interface PlaneOptionsOverHttp extends PlaneOptions {
  /** Who may use it. Without it: programs on this machine alone. */
  auth?: {
    tokens?: readonly { token: string; tenant?: string; roles?: readonly "operator"[] }[];
    jwt?: { jwks: string; issuer: string; audience: string; tenantClaim?: string; rolesClaim?: string };
  };
}

export interface PlaneAsked {
  store?: StoreOption | undefined;
  plane?: PlaneOptionsOverHttp | undefined;
}

interface Scope {
  /** How a message begins. */
  cannot: string;
  /** It is served over HTTP, so `auth` has a meaning. */
  overHttp: boolean;
  cwd: string;
  /** What the runtime is called, and with it what is its own in Redis. */
  name?: string | undefined;
  /** Where a database without a path of its own is. */
  stateFolder: string;
}

/** Either of the two asks for a plane; `undefined`: neither does. Throws `UsageError` for what it cannot be. */
export function planeConfigOf({ store, plane }: PlaneAsked, scope: Scope): PlaneConfig | undefined {
  if (store === undefined && plane === undefined) return undefined;
  const { cannot, stateFolder, name = "haraka" } = scope;
  checkPlane(plane ?? {}, scope);
  const found = acceptPlane({ store: storeIn(store, scope), plane: plane ?? {} });
  // The rules know everything that a config refuses; should they not, it is refused all the same.
  if (!found?.plane)
    throw new UsageError(`${cannot}: its plane is not what a config takes; see docs/config.md`);
  const report = (path: readonly unknown[], message: string): never => {
    throw new UsageError(`${cannot}: ${path.join(".")}: ${message}`);
  };
  return resolvePlane({ plane: found.plane, store: found.store }, { name, stateFolder, report });
}

/** The parts of a plane, which are services, too, and the registry, which comes with it. */
const PARTS: readonly string[] = ["store", "state_surface", "wal", "saga_coordinator", "registry"];

/** Throws `UsageError` for a service that has the name of one. */
export function refuseParts(services: Iterable<string>): void {
  for (const name of services)
    if (PARTS.includes(name))
      throw new UsageError(`cannot run the service '${name}': with a plane that is a part of it; rename it`);
}

/** For who takes these two among other options. */
export const PLANE_RULES: Rules<PlaneAsked> = {
  store: STORE_RULE,
  plane: OBJECT,
};

function checkPlane(plane: PlaneOptionsOverHttp, { cannot, overHttp }: Scope): void {
  const check = <Options extends object>(options: Options, path: string, rules: Rules<Options>): void =>
    checkOptions(options, { cannot, path: `plane.${path}`, rules });
  check<object>(plane, "", overHttp ? { ...PLANE, auth: OBJECT } : PLANE);
  const { sessions = {}, limits = {}, auth } = plane;
  check(sessions, "sessions.", SESSIONS);
  check(limits, "limits.", LIMITS);
  if (!auth) return;
  check(auth, "auth.", AUTH);
  for (const [index, token] of (auth.tokens ?? []).entries()) {
    const path = `auth.tokens[${index}]`;
    if (!isObject(token)) throw new UsageError(`${cannot}: plane.${path} is no object; expected one`);
    check(token, `${path}.`, TOKEN);
    if (token.token === undefined) throw new UsageError(`${cannot}: plane.${path} has no token`);
  }
  if (auth.jwt) checkJwt(auth.jwt, check, cannot);
}

type Check = <Options extends object>(options: Options, path: string, rules: Rules<Options>) => void;

function checkJwt(
  jwt: NonNullable<NonNullable<PlaneOptionsOverHttp["auth"]>["jwt"]>,
  check: Check,
  cannot: string,
): void {
  check<object>(jwt, "auth.jwt.", JWT);
  for (const key of ["jwks", "issuer", "audience"] as const)
    if (jwt[key] === undefined) throw new UsageError(`${cannot}: plane.auth.jwt has no ${key}`);
}

const FILLED: Rule = {
  expected: "a text that is not empty",
  holds: (value) => typeof value === "string" && value !== "",
};
const DURATION: Rule = {
  expected: 'a duration such as "30m"',
  holds: (value) => acceptSpan(value) !== undefined,
};
const SIZE: Rule = {
  expected: 'a size from 1KiB up to 1GiB such as "1MiB"',
  holds: (value) => acceptSize(value) !== undefined,
};
const ROLES: Rule = {
  expected: 'a list of "operator"',
  holds: (value) => Array.isArray(value) && value.every((role) => role === "operator"),
};

function wholeUpTo(maximum: number): Rule {
  const holds = (value: unknown) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maximum;
  return { expected: `a whole number from 1 up to ${maximum}`, holds };
}

const RETENTION: Rule = {
  expected: 'a duration such as "168h", or "forever"',
  holds: (value) => value === "forever" || acceptSpan(value) !== undefined,
};
const PLANE: Rules<PlaneOptions> = { sessions: OBJECT, retention: RETENTION, limits: OBJECT };
const SESSIONS: Rules<NonNullable<PlaneOptions["sessions"]>> = { idle: DURATION, absolute: DURATION };
const LIMITS: Rules<NonNullable<PlaneOptions["limits"]>> = {
  body: SIZE,
  key: wholeUpTo(65_536),
  page: wholeUpTo(100_000),
};
const AUTH: Rules<NonNullable<PlaneOptionsOverHttp["auth"]>> = { tokens: LIST, jwt: OBJECT };
const TOKEN = { token: FILLED, tenant: TENANT, roles: ROLES };
const URL_TEXT: Rule = {
  expected: "an http: or https: URL",
  holds: (value) => typeof value === "string" && /^https?:\/\//.test(value) && URL.canParse(value),
};
const JWT = { jwks: URL_TEXT, issuer: FILLED, audience: FILLED, tenantClaim: FILLED, rolesClaim: FILLED };
