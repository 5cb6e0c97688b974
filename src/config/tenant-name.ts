// What a tenant may be called, wherever it is named: in a config, in a credential, in a header.

/** In words. */
export const TENANT_RULE = "expected the name of a tenant: text without control characters";

export function isTenantName(name: string): boolean {
  return name !== "" && !/\p{Cc}/u.test(name) && name.isWellFormed();
}
