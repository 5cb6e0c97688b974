// Comparing secrets, so that how long it takes tells nothing about them. It keeps none and knows none.

const encoder = new TextEncoder();

/** Takes as long for every secret; how long depends only on what was given. */
export function isSecret(given: string, expected: string): boolean {
  const bytes = encoder.encode(given);
  const secret = encoder.encode(expected);
  let difference = bytes.length ^ secret.length;
  for (const [index, byte] of bytes.entries()) difference |= byte ^ (secret[index % secret.length] ?? 0);
  return difference === 0;
}

/** What follows `Bearer` in the request's `Authorization`; empty without one. */
export function bearerOf({ headers }: Request): string {
  return /^bearer +(.*)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
}
