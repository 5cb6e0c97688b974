// Keys of the store: lists of parts as one text, in which no part can be taken for two. Tenant `a:b`, namespace `x/y` or a key
// with a NUL stay what they are.

/** Parts percent-encoded and joined by `/`. */
export function keyOf(...parts: readonly string[]): string {
  return parts.map(encoded).join("/");
}

/** What stays as it is, as most parts do; to see that is faster than to encode. */
const PLAIN = /^[\w.~-]*$/;

const encoded = (part: string): string => (PLAIN.test(part) ? part : encodeURIComponent(part));

/** What {@link keyOf} was given. */
export function partsOf(key: string): string[] {
  const parts = key.split("/");
  return key.includes("%") ? parts.map(decodeURIComponent) : parts;
}

/** Behind a prefix it sorts behind all keys that begin with that. */
export const LAST = "\u{10FFFF}";
