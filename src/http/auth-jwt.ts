// JSON Web Tokens as credentials: checked with the keys of a JWKS, which are fetched when a token names one that is not known, and
// no more often than its limits say. What a token may not be is decided here; signatures are the business of `jose`.
import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from "jose";
import { isTenantName } from "../config/tenant-name.ts";
import { messageOf } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { type Asker, unauthorised } from "./asker.ts";
import { unavailable } from "./problem.ts";

/** `plane.auth.jwt`. */
export interface JwtAuth {
  /** An `https:` or `http:` URL, or the `file:` URL of a file. */
  jwks: string;
  issuer?: string;
  audience?: string;
  /** The claim that has the tenant. */
  tenantClaim: string;
  /** The claim that has the roles: a list, or words with blanks between them. */
  rolesClaim?: string;
}

export type JwtVerifier = (token: string) => Promise<Asker | Response>;

export interface JwtParts {
  jwt: JwtAuth;
  clock: Pick<Clock, "now" | "wallTime">;
  log: Log;
  /** Gets the JWKS; also of a `file:` URL, which not every runtime's own can. Default: the runtime's own. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** No `none`, and none that shares a secret: who can check such a token can make one. */
const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");
/** The keys are asked for again when they are older. */
const KEYS_AGE_MAX_MS = 600_000;
/** An unknown key has them asked for again, but not sooner than this after the last time. */
const COOLDOWN_MS = 30_000;
/** The same when they could not be had. */
const RETRY_MS = 2_000;
const FETCH_TIMEOUT_MS = 5_000;

export function createJwtVerifier({ jwt, clock, log, fetch = globalThis.fetch }: JwtParts): JwtVerifier {
  let failure: { atMs: number; error: unknown } | undefined;
  const fetchKeys = async (url: string, init: RequestInit): Promise<Response> => {
    if (failure && clock.now() - failure.atMs < RETRY_MS) throw failure.error;
    try {
      const response = await fetch(url, init);
      if (!response.ok) throw new Error(`it answers ${response.status}`);
      failure = undefined;
      return response;
    } catch (error) {
      failure = { atMs: clock.now(), error };
      log.warn(`cannot get the keys of plane.auth.jwt from ${jwt.jwks}: ${messageOf(error)}`);
      throw error;
    }
  };
  const keys = createRemoteJWKSet(new URL(jwt.jwks), {
    cacheMaxAge: KEYS_AGE_MAX_MS,
    cooldownDuration: COOLDOWN_MS,
    timeoutDuration: FETCH_TIMEOUT_MS,
    [customFetch]: fetchKeys,
  });
  return async (token) => {
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, keys, {
        algorithms: ALGORITHMS,
        requiredClaims: ["exp"],
        currentDate: new Date(clock.wallTime()),
        ...(jwt.issuer !== undefined && { issuer: jwt.issuer }),
        ...(jwt.audience !== undefined && { audience: jwt.audience }),
      }));
    } catch (error) {
      return isAboutToken(error)
        ? unauthorised()
        : unavailable("cannot check the credential: the keys of plane.auth.jwt cannot be had; try again");
    }
    const tenant = own(payload, jwt.tenantClaim);
    if (typeof tenant !== "string" || !isTenantName(tenant)) return unauthorised();
    return { tenant, roles: rolesOf(jwt.rolesClaim === undefined ? [] : own(payload, jwt.rolesClaim)) };
  };
}

function own(payload: JWTPayload, claim: string): unknown {
  return Object.hasOwn(payload, claim) ? payload[claim] : undefined;
}

function rolesOf(claim: unknown): string[] {
  const roles: readonly unknown[] =
    typeof claim === "string" ? claim.split(" ") : Array.isArray(claim) ? claim : [];
  return roles.filter((role) => typeof role === "string");
}

/** Otherwise it is about the keys, and nothing is known about the token. */
function isAboutToken(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return false;
  return (
    !(error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) &&
    error.code !== "ERR_JOSE_GENERIC"
  );
}
