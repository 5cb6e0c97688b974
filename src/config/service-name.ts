// What a service may be called, wherever it is named: in a config, in code, at the edge.

const NAME = /^[a-z][a-z0-9._-]{0,62}$/;

/** In words. */
export const NAME_RULE =
  "a name starts with a letter and has up to 63 lower-case letters, digits, `.`, `_` and `-`";

export function isServiceName(name: string): boolean {
  return NAME.test(name);
}
