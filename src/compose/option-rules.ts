// What code may say of a service: a name, an instance or an option that a config would refuse is refused here, too, and what is
// misspelt is never ignored. Which options there are is said where they are declared. Needs no `node:`.
import { didYouMean } from "../config/did-you-mean.ts";
import { isPort, PORT_RULE } from "../config/port.ts";
import { isServiceName, NAME_RULE } from "../config/service-name.ts";
import { isTenantName } from "../config/tenant-name.ts";
import { UsageError } from "../errors.ts";
import type { ServiceLike } from "../ports/service.ts";

export interface Rule {
  expected: string;
  holds(value: unknown): boolean;
}

/** One for every option of `Options`. */
export type Rules<Options> = Readonly<Record<keyof Options, Rule>>;

export const ANYTHING: Rule = { expected: "anything", holds: () => true };
export const BOOLEAN: Rule = { expected: "true or false", holds: (value) => typeof value === "boolean" };
export const TEXT: Rule = { expected: "a text", holds: (value) => typeof value === "string" };
export const TENANT: Rule = {
  expected: "the name of a tenant: text without control characters",
  holds: (value) => typeof value === "string" && isTenantName(value),
};
export const PORT: Rule = { expected: PORT_RULE, holds: isPort };
export const COUNT: Rule = {
  expected: "a whole number, 1 or more",
  holds: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
};
export const NUMBER: Rule = { expected: "a finite number", holds: Number.isFinite };
export const LIST: Rule = { expected: "a list", holds: Array.isArray };
export const OBJECT: Rule = { expected: "an object", holds: isObject };
/** A timer of a JavaScript runtime cannot wait longer. */
export const MILLISECONDS: Rule = {
  expected: "milliseconds, from 0 up to 2147483647",
  holds: (value) => typeof value === "number" && value >= 0 && value < 2 ** 31,
};

export function oneOf(...words: string[]): Rule {
  return {
    expected: words.map((word) => `"${word}"`).join(" or "),
    holds: (value) => typeof value === "string" && words.includes(value),
  };
}

/**
 * Throws `UsageError` for an option that is not known, or has a value that cannot be; `undefined` counts as left out. `cannot`
 * is how the message begins, `path` stands before the name of the option.
 */
export function checkOptions<Options extends object>(
  options: Options,
  { cannot, path = "", rules }: { cannot: string; path?: string; rules: Rules<Options> },
): void {
  const known = new Map<string, Rule>(Object.entries(rules));
  for (const [key, value] of Object.entries(options)) {
    const rule = known.get(key);
    if (!rule) {
      const hint = didYouMean(key, [...known.keys()]) || `; there is ${[...known.keys()].join(", ")}`;
      throw new UsageError(`${cannot}: there is no option "${path}${key}"${hint}`);
    }
    if (value !== undefined && !rule.holds(value))
      throw new UsageError(`${cannot}: ${path}${key} is ${shown(value)}; expected ${rule.expected}`);
  }
}

/** What is registered already. */
interface Registered {
  names: { has(name: string): boolean };
  /** With their names. */
  instances: ReadonlyMap<ServiceLike, string>;
}

/** The name of a service that may be registered beside those that are. Throws `UsageError` for one that may not. */
export function nameToUse(service: ServiceLike, { names, instances }: Registered): string {
  const { name } = service;
  if (!name) throw new UsageError(`cannot use a ${service.constructor.name}: it has no name; set \`name\``);
  if (!isServiceName(name)) throw new UsageError(`cannot use a service called "${name}": ${NAME_RULE}`);
  if (names.has(name)) throw new UsageError(`cannot use '${name}': there is a service of that name`);
  const other = instances.get(service);
  if (other === undefined) return name;
  throw new UsageError(`cannot use '${name}': the same object is in use as '${other}'; make another one`);
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : (JSON.stringify(value) ?? typeof value);
}
