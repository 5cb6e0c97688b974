// A registry entry as it stands in the store: one of the tenant that is nobody's, whose key begins with its service, so that a
// list of them is in order. It is what another version of this runtime may have written, and is taken for nothing it does not say.
import type { Json } from "../core/json.ts";
import { keyOf } from "../core/key.ts";
import type { InstanceState, RegistryEntry } from "../ports/registry.ts";

/** What all keys begin with. */
export const PREFIX = "registry/";

export function keyOfEntry({ service, instance }: RegistryEntry): string {
  return PREFIX + keyOf(service, instance);
}

export function valueOf({ service, instance, address, port, tags, state, intents }: RegistryEntry): Json {
  return { service, instance, address, port, tags, state, ...(intents && { intents }) };
}

/** `undefined` for what cannot be understood. */
export function entryOf(value: Json): RegistryEntry | undefined {
  const { service, instance, address, port, tags, state, intents } = (value ?? {}) as Record<string, unknown>;
  if (!isText(service) || !isText(instance) || !isText(address) || typeof port !== "number") return undefined;
  if (!isState(state) || !isTexts(tags)) return undefined;
  return { service, instance, address, port, tags, state, ...(isTexts(intents) && { intents }) };
}

/** By service, then by instance. */
export function byPlace(one: RegistryEntry, other: RegistryEntry): number {
  return compared(one.service, other.service) || compared(one.instance, other.instance);
}

const compared = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

const isText = (value: unknown): value is string => typeof value === "string";
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
const STATES: readonly unknown[] = ["starting", "ready", "draining"] satisfies InstanceState[];
const isState = (value: unknown): value is InstanceState => STATES.includes(value);
