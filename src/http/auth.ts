// Who asks the plane: which tenant a request acts for, and what it may do there. It comes from a credential or from where the
// request was made, never from what it says about itself, except where everything may be said: on the control socket and, as
// long as no `plane.auth` is set, on this machine.
import type { Plane } from "../ports/plane.ts";
import { type Asker, unauthorised } from "./asker.ts";
import type { JwtAuth, JwtParts, JwtVerifier } from "./auth-jwt.ts";
import { name as nameOf } from "./plane-schema-kit.ts";
import { read, refuse, type InputProblem } from "./plane-input.ts";
import { bearerOf, isSecret } from "./secret.ts";
import { isOfThisMachine } from "./this-machine.ts";

export interface Credential {
  token: string;
  tenant: string;
  roles: readonly string[];
}

/** `plane.auth`. */
export interface PlaneAuth {
  tokens: readonly Credential[];
  jwt?: JwtAuth;
}

export interface AuthOptions extends Omit<JwtParts, "jwt"> {
  /** Without it, only this machine is served. */
  auth?: PlaneAuth;
  /** Tokens that process services were started with, as of now: any of them may come and go. */
  serviceTokens?: Iterable<{ token: string; tenant: string }>;
  /** Everybody is an operator of every tenant, as on the control socket. */
  trusting?: boolean;
  keyBytesMax: number;
}

const DEFAULT_TENANT = "default";
const NOT_SET = "plane.auth is not set, so only loopback is served; set plane.auth.tokens";

/** Resolves with who it is, or with the answer to whom it is nobody's. */
export type Authenticate = (request: Request, env: unknown, plane: Plane) => Promise<Asker | Response>;

export function createAuth(options: AuthOptions): Authenticate {
  const { auth, serviceTokens = [], trusting = false } = options;
  const tenantName = nameOf(options);
  let verifier: Promise<JwtVerifier> | undefined;

  async function verify(jwt: JwtAuth, token: string): Promise<Asker | Response> {
    verifier ??= import("./auth-jwt.ts").then(({ createJwtVerifier }) =>
      createJwtVerifier({ ...options, jwt }),
    );
    const asker = await (await verifier)(token);
    const isNamed =
      asker instanceof Response || tenantName.safeParse(asker.tenant, { jitless: true }).success;
    return isNamed ? asker : unauthorised();
  }

  function credentialOf(given: string): Asker | undefined {
    let found: Asker | undefined;
    // To the end of both, whichever it is.
    for (const { token, tenant, roles } of auth?.tokens ?? []) {
      if (isSecret(given, token)) found = { tenant, roles };
    }
    for (const { token, tenant } of serviceTokens) if (isSecret(given, token)) found = { tenant, roles: [] };
    return found;
  }

  /** Anybody who may say which tenant it is for. */
  function anyone({ headers }: Request): Asker {
    const problems: InputProblem[] = [];
    const given = headers.get("haraka-tenant");
    const tenant = given === null ? DEFAULT_TENANT : read(tenantName, given, problems);
    refuse(problems.map(({ message }) => ({ path: "Haraka-Tenant", message })));
    return { tenant: tenant ?? DEFAULT_TENANT, roles: ["operator"] };
  }

  return async (request, env, plane) => {
    const isFree = trusting || (auth === undefined && isOfThisMachine(request, env));
    // Who shows a session's token is its bearer and nothing more, whatever else is shown.
    const sessionToken = request.headers.get("haraka-session");
    if (sessionToken !== null) {
      if (!isFree && auth === undefined) return unauthorised(NOT_SET);
      const session = sessionToken === "" ? undefined : await plane.sessionOf(sessionToken);
      return session === undefined ? unauthorised() : { tenant: session.tenant, roles: [], session };
    }
    if (trusting) return anyone(request);
    const given = bearerOf(request);
    const known = given === "" ? undefined : credentialOf(given);
    if (known) return known;
    if (given !== "" && auth?.jwt) return verify(auth.jwt, given);
    if (auth === undefined && !isFree) return unauthorised(NOT_SET);
    // A wrong credential is not taken for none: it may be one that was right before a restart, for another tenant.
    if (auth !== undefined || request.headers.has("authorization")) return unauthorised();
    return anyone(request);
  };
}
