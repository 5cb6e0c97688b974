// Names and secrets: ids of 128 random bits, and session tokens of 256 that say whose they are, so that no token is searched for.
// Of a token only its SHA-256 is kept; nothing here stores or prints one.
//
//   hs_TENANT.ID.SECRET    TENANT in base64url, ID without its `session_`, SECRET 256 random bits in base64url

const PREFIX = "hs_";

/** `session_…`, `event_…`: 128 random bits. */
export function newId(kind: string): string {
  return `${kind}_${randomText(16)}`;
}

export interface Token {
  text: string;
  hash: string;
}

export async function newToken(tenant: string, session: string): Promise<Token> {
  const id = session.slice(session.indexOf("_") + 1);
  const text = `${PREFIX}${base64url(new TextEncoder().encode(tenant))}.${id}.${randomText(32)}`;
  return { text, hash: await hashOf(text) };
}

/** Whose it says it is; whether that is true, the hash shows. */
export function readToken(text: string): { tenant: string; session: string } | undefined {
  const match = /^hs_([\w-]+)\.([\w-]{22})\.[\w-]{43}$/.exec(text);
  const tenant = match?.[1] === undefined ? undefined : textOf(match[1]);
  return tenant === undefined ? undefined : { tenant, session: `session_${match?.[2]}` };
}

export async function hashOf(token: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))));
}

/** Looks at all of `given`, wherever the two begin to differ. */
export function isSame(known: ArrayLike<number>, given: ArrayLike<number>): boolean {
  let difference = known.length ^ given.length;
  for (let index = 0; index < given.length; index++) difference |= (known[index] ?? 0) ^ (given[index] ?? 0);
  return difference === 0;
}

export function isSameHash(known: string, given: string): boolean {
  const encoder = new TextEncoder();
  return isSame(encoder.encode(known), encoder.encode(given));
}

function randomText(bytes: number): string {
  return base64url(crypto.getRandomValues(new Uint8Array(bytes)));
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function textOf(encoded: string): string | undefined {
  try {
    const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
