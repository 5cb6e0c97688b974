// What may stand under `store` and `plane`: a part of the schema in `schema.ts`, and built the same way. What takes more than one key
// to judge is in `plane.ts`.
import type * as zod from "zod/mini";
import type { Kit } from "./schema-kit.ts";

export function storeOf({ z, key, preset, required, filled, span, whole }: Kit) {
  const nodes = z.array(filled).check(z.minLength(1));
  return z.strictObject({
    driver: preset(
      z.enum(["sqlite", "memory", "redis"]),
      "sqlite",
      "`sqlite`: a file. `memory`: gone with the process, for tests. `redis`: shared by several replicas.",
    ),
    path: key(filled, "Of `sqlite`: the database file, relative to the state folder. Default: `haraka.db`."),
    url: key(filled, "Of `redis`: where it is, as `redis://USER:PASSWORD@HOST:PORT/0`, `rediss://` for TLS."),
    namespace: key(filled, "Of `redis`: what all of its keys begin with. Default: `runtime.name`."),
    lease: key(
      z.strictObject({
        ttl: preset(span, "5s", "After so long without a sign its executions go on elsewhere."),
      }),
      "Of `redis`: how a replica owns executions.",
    ),
    checks: key(
      z.enum(["refuse", "warn"]),
      "Of `redis`: what to do when it may lose what it has acknowledged (`appendonly`, `appendfsync`, `maxmemory-policy`). Default: `refuse`.",
    ),
    replicas: key(
      whole(0, 100),
      "Of `redis`: so many of its replicas have to have a write before it counts. Default: 0.",
    ),
    cluster: key(nodes, "Of `redis`: the nodes of a cluster, instead of `url`."),
    sentinel: key(
      z.strictObject({
        master: required(filled, "The name of the master."),
        nodes: required(nodes, "The sentinels."),
      }),
      "Of `redis`: sentinels, instead of `url`.",
    ),
  });
}

function authOf({ z, key, preset, required, filled, httpUrl, tenant }: Kit) {
  return z.strictObject({
    tokens: preset(
      z.array(
        z.strictObject({
          token: required(filled, "Who has it as `Authorization: Bearer TOKEN` …"),
          tenant: preset(tenant, "default", "… acts for this tenant."),
          roles: preset(
            z.array(z.literal("operator")),
            [],
            "`operator`: may retry, resolve and abort executions.",
          ),
        }),
      ),
      [],
      "Tokens, and who they stand for.",
    ),
    jwt: key(
      z.strictObject({
        jwks: required(httpUrl, "Where the public keys are."),
        issuer: required(filled, "What `iss` has to be."),
        audience: required(filled, "What `aud` has to have."),
        tenantClaim: preset(filled, "tenant", "The claim that names the tenant."),
        rolesClaim: preset(filled, "roles", "The claim that lists the roles."),
      }),
      "JSON Web Tokens, signed by a key of this set; `exp` is required.",
    ),
  });
}

export function planeOf(kit: Kit) {
  const { z, key, preset, span, size, whole } = kit;
  return z.strictObject({
    auth: key(authOf(kit), "Who may use the plane. Without it: loopback only, as the tenant `default`."),
    sessions: preset(
      z.strictObject({
        idle: preset(span, "30m", "A session expires when it was not used for so long …"),
        absolute: preset(span, "24h", "… and so long after it was created."),
      }),
      {},
      "How long sessions live.",
    ),
    retention: preset(
      z.union([z.literal("forever"), span]),
      "168h",
      "How long the log, executions that have ended and idempotency keys are kept, at least 24h. What an open execution goes by is kept in any case. `forever`: all of it.",
    ),
    limits: preset(
      z.strictObject({
        body: preset(size("1GiB"), "1MiB", "Of a request."),
        key: preset(whole(1, 65_536), 512, "Bytes of a key, a name or an id."),
        page: preset(whole(1, 100_000), 1000, "Items of a list at once."),
      }),
      {},
      "What is refused.",
    ),
  });
}

export type RawStore = zod.output<ReturnType<typeof storeOf>>;
export type RawPlane = zod.output<ReturnType<typeof planeOf>>;
