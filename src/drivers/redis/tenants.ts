// The list of all tenants that may have something, read a helping at a time. Who is in it may have nothing; who has something is in it.
import { tenantOf, tenantsKey } from "./layout.ts";

const TENANTS_AT_ONCE = 1_000;

/** All tenants that may have something, a helping at a time. `send` gives the reply to a command. */
export async function* listedTenants(
  namespace: string,
  send: (words: readonly string[], key: string) => Promise<unknown>,
): AsyncGenerator<string[]> {
  const key = tenantsKey(namespace);
  for (let from = "-"; ;) {
    const words = ["ZRANGEBYLEX", key, from, "+", "LIMIT", "0", String(TENANTS_AT_ONCE)];
    const members = (await send(words, key)) as readonly string[];
    if (members.length > 0) yield members.map(tenantOf);
    if (members.length < TENANTS_AT_ONCE) return;
    from = `(${members.at(-1)}`;
  }
}
