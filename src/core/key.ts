// Keys of the store: lists of parts as one text, in which no part can be taken for two. Tenant `a:b`, namespace `x/y` or a key
// with a NUL stay what they are.

/** Parts percent-encoded and joined by `/`. */
export function keyOf(...parts: readonly string[]): string {
  return parts.map(encodeURIComponent).join("/");
}

/** What {@link keyOf} was given. */
export function partsOf(key: string): string[] {
  return key.split("/").map(decodeURIComponent);
}
