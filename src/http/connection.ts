// What a server knows about the connection behind a request, read from what it hands to `fetch` beside it: Bun its server,
// Deno its info, @hono/node-server its bindings. Never guesses: behind any other server nothing is known.

/** The second argument of `fetch`, and Hono's `c.env`; at most one server's part of it is there. */
interface Native {
  /** Where Bun's server listens, as it was told. */
  readonly hostname?: string;
  requestIP?(request: Request): { address: string } | null;
  timeout?(request: Request, seconds: number): void;
  readonly pendingRequests?: number;
  readonly remoteAddr?: { readonly hostname?: string };
  readonly completed?: Promise<void>;
  readonly incoming?: { readonly socket: { readonly remoteAddress?: string } };
  readonly outgoing?: { once(event: "close", listener: () => void): unknown };
}

/** A server that counts for itself the requests whose answer has not left yet. */
export interface CountingServer {
  readonly pendingRequests: number;
}

/** The peer of a server that does not say. */
const UNKNOWN = "unknown";
const LOOPBACK = /^(::ffff:)?127\.|^::1$/;
/** One of these is added by any proxy (RFC 7239, RFC 9110, and what was there before). */
const PROXY_HEADERS = ["forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-real-ip"];

/** The peer's address; `"unknown"` behind a server that does not say, nothing where there is none, as over a Unix socket. */
export function peerOf(request: Request, env: unknown): string | undefined {
  const native = (env ?? {}) as Native;
  if (native.requestIP) return native.requestIP(request)?.address;
  if (native.remoteAddr) return native.remoteAddr.hostname;
  return native.incoming ? native.incoming.socket.remoteAddress : UNKNOWN;
}

/** The request comes from this machine and was not passed on for somebody else. Enough to be told more, not to be obeyed. */
export function isLocal(request: Request, env: unknown): boolean {
  if (PROXY_HEADERS.some((name) => request.headers.has(name))) return false;
  return listensOnLoopback(env) || isLoopbackPeer(request, env);
}

/** A proxy has had it in its hands, even one that tells little of it: for those who would obey. */
export function isPassedOn({ headers }: Request): boolean {
  return [...headers.keys()].some((name) => PROXY_HEADERS.includes(name) || name.startsWith("x-forwarded-"));
}

const onLoopback = new WeakMap<object, boolean>();

/** A server that listens on loopback alone is asked for no peer, which under Bun costs a quarter of all that a probe does. */
function listensOnLoopback(env: unknown): boolean {
  const native = (env ?? {}) as Native;
  // The others hand over something new with each request.
  if (!native.requestIP) return false;
  const known = onLoopback.get(native);
  if (known !== undefined) return known;
  const found = LOOPBACK.test(native.hostname ?? UNKNOWN);
  onLoopback.set(native, found);
  return found;
}

/** The peer is on this machine, for whomever it asks. */
export function isLoopbackPeer(request: Request, env: unknown): boolean {
  return LOOPBACK.test(peerOf(request, env) ?? UNKNOWN);
}

/** The server itself, if it counts. */
export function countingServer(env: unknown): CountingServer | undefined {
  return (env as Native | undefined)?.pendingRequests === undefined ? undefined : (env as CountingServer);
}

/**
 * Calls `done` once the answer has left, or the client has; returns false if this server does not tell. Deno takes what it has
 * been given in one piece for sent.
 */
export function whenSent(env: unknown, done: () => void): boolean {
  const native = env as Native | undefined;
  if (native?.completed !== undefined) {
    native.completed.then(done, done);
    return true;
  }
  native?.outgoing?.once("close", done);
  return native?.outgoing !== undefined;
}

/** Lets an answer be silent for as long as it likes, where the server would cut it. */
export function keepOpen(request: Request, env: unknown): void {
  (env as Native | undefined)?.timeout?.(request, 0);
}
