// Who runs what, when a store in Redis has several replicas: an execution is one replica's for as long as it prolongs its lease, by the
// server's time, and under a token that is new with each claim. What was opened here is looked for where it was opened; all tenants are
// asked for what others have left when nothing is found there, and now and then.
import { keyOf, partsOf } from "../../core/key.ts";
import { StoreError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Claim, Ownerships } from "../../ports/store.ts";
import type { Reply } from "./connection.ts";
import { tenantBase } from "./layout.ts";
import type { RedisLink } from "./link.ts";
import type { RedisScript } from "./script.ts";
import { newToken } from "./token.ts";
import type { RedisWrites } from "./writes.ts";

/** So many are made or prolonged by one script. */
const CLAIMS_AT_ONCE = 500;

export interface RedisOwnershipsOptions {
  link: RedisLink;
  writes: RedisWrites;
  scripts: Record<"claimable" | "claim" | "renew" | "release", RedisScript>;
  namespace: string;
  clock: Clock;
  /** How long a claim holds unless it is renewed. */
  leaseMs: number;
  /** All tenants, a helping at a time. */
  listed: () => AsyncIterable<readonly string[]>;
}

export function redisOwnerships(options: RedisOwnershipsOptions): Ownerships {
  const owners = new RedisOwnerships(options);
  return {
    leaseMs: options.leaseMs,
    claim: (asked) => owners.claim(asked),
    renew: (claims) => owners.renew(claims),
    release: (claims) => owners.release(claims),
  };
}

/** What is to be claimed, as the script takes it. */
interface Asked {
  definitions: readonly string[];
  limit: number;
}

class RedisOwnerships implements Ownerships {
  readonly #options: RedisOwnershipsOptions;
  /** Tenants in which something was opened here since they were asked. */
  readonly #opened = new Set<string>();
  #askedAllMs = -Infinity;

  constructor(options: RedisOwnershipsOptions) {
    this.#options = options;
    options.writes.onWritten((tenant, opens) => {
      if (opens) this.#opened.add(tenant);
    });
  }

  async claim({ known, limit }: { known?: readonly string[]; limit: number }): Promise<readonly Claim[]> {
    const { link, clock, leaseMs } = this.#options;
    if (link.problem) throw link.problem;
    const definitions = known?.map((definition) => keyOf(definition)) ?? [ANY];
    if (definitions.length === 0) return [];
    const own = await this.#claimIn([...this.#opened], { definitions, limit });
    const isEnough = own.length >= limit || clock.now() - this.#askedAllMs < leaseMs / 2;
    if (own.length > 0 && isEnough) return own;
    return [...own, ...(await this.#claimAnywhere({ definitions, limit: limit - own.length }))];
  }

  async renew(claims: readonly Claim[]): Promise<readonly Claim[]> {
    const lost = new Set(await this.#forEach("renew", claims.filter(this.#canGoOn)));
    return claims.filter((claim) => lost.has(claim) || !this.#canGoOn(claim));
  }

  /** What nothing can be written of is for others to carry out. */
  readonly #canGoOn = ({ tenant }: Pick<Claim, "tenant">): boolean => this.#options.writes.isWritable(tenant);

  async release(claims: readonly Claim[]): Promise<void> {
    await this.#forEach("release", claims);
  }

  async #claimIn(tenants: readonly string[], { definitions, limit }: Asked): Promise<Claim[]> {
    const claims: Claim[] = [];
    for (const tenant of tenants) {
      const tokens = Array.from({ length: Math.min(limit - claims.length, CLAIMS_AT_ONCE) }, newToken);
      if (tokens.length === 0) break;
      // What is opened while it is asked counts anew.
      this.#opened.delete(tenant);
      if (!this.#canGoOn({ tenant })) continue;
      const words = [String(this.#options.leaseMs), String(tokens.length), ...tokens, ...definitions];
      const executions = (await this.#run("claim", tenant, words)) as readonly string[];
      if (executions.length === tokens.length) this.#opened.add(tenant);
      for (const [index, execution] of executions.entries())
        claims.push({ tenant, execution: partsOf(execution)[0] ?? "", token: tokens[index] ?? "" });
    }
    return claims;
  }

  async #claimAnywhere({ definitions, limit }: Asked): Promise<Claim[]> {
    const claims: Claim[] = [];
    for await (const tenants of this.#options.listed()) {
      const counts = await Promise.all(tenants.map((tenant) => this.#run("claimable", tenant, [])));
      const some = tenants.filter((_, index) => Number(counts[index]) > 0);
      claims.push(...(await this.#claimIn(some, { definitions, limit: limit - claims.length })));
      if (claims.length >= limit) return claims;
    }
    this.#askedAllMs = this.#options.clock.now();
    return claims;
  }

  /** Runs it once for each tenant, in helpings; gives those that it says are lost. */
  async #forEach(script: "renew" | "release", claims: readonly Claim[]): Promise<Claim[]> {
    const leaseMs = String(this.#options.leaseMs);
    const lost = await Promise.all(
      [...helpings(claims)].map(async ([tenant, some]) => {
        const words = some.flatMap(({ execution, token }) => [keyOf(execution), token]);
        const numbers = (await this.#run(script, tenant, [leaseMs, ...words])) as readonly Reply[];
        return numbers.flatMap((number) => some[Number(number)] ?? []);
      }),
    );
    return lost.flat();
  }

  async #run(
    script: keyof RedisOwnershipsOptions["scripts"],
    tenant: string,
    args: readonly string[],
  ): Promise<Reply> {
    const { link, scripts, namespace } = this.#options;
    const answer = await link.run(scripts[script], `${tenantBase(namespace, tenant)}head`, args);
    if (answer.type === "reply") return answer.reply;
    throw new StoreError(`cannot use ${link.name}: ${answer.message}`);
  }
}

/** Instead of definitions; none is written like that. */
const ANY = "?";

function* helpings(claims: readonly Claim[]): Generator<[tenant: string, claims: readonly Claim[]]> {
  for (const [tenant, some] of Map.groupBy(claims, (claim) => claim.tenant))
    for (let from = 0; from < some.length; from += CLAIMS_AT_ONCE)
      yield [tenant, some.slice(from, from + CLAIMS_AT_ONCE)];
}
