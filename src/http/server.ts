// What the three server adapters have in common: what they are asked for, and what they give. No runtime's own API here.

/** `native` is what the server knows beside the request; connection.ts reads it. */
export type Fetch = (request: Request, native: unknown) => Response | Promise<Response>;

export interface ListenOptions {
  /** A name or an address, IPv6 without brackets. */
  host: string;
  /** 0 lets the system choose. */
  port: number;
  /** How long a connection may be silent. Bun counts whole seconds up to 255; Deno keeps connections until the client goes. */
  idleTimeoutMs: number;
  fetch: Fetch;
}

export interface Server {
  host: string;
  /** The port that was opened. */
  port: number;
  /** Stops listening and cuts every connection that is left. */
  close(): Promise<void>;
}

/** Opens the port. Rejects with an error whose `code` is `EADDRINUSE`, `EACCES`, … when it cannot be had. */
export type Listen = (options: ListenOptions) => Promise<Server>;

export interface PathOptions {
  /** Where the Unix socket is to be; nothing may be there. */
  path: string;
  fetch: Fetch;
}

/**
 * The same over a Unix socket, without an idle timeout that a stream would notice. It is bound before the function returns its
 * promise, so a umask around the call counts. Closing removes whatever is at `path` and lets answers leave, within reason.
 */
export type ListenOnPath = (options: PathOptions) => Promise<{ close(): Promise<void> }>;

/** What is on its way may take as long; a client that does not read is cut. */
const LAST_WORDS_MS = 250;

/** Waits for `left` a little while; what has not left by then is cut. */
export async function closeGently(left: Promise<unknown>, cut: () => unknown): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, LAST_WORDS_MS, false)));
  const hasLeft = await Promise.race([left.then(() => true), patience]);
  clearTimeout(timer);
  if (!hasLeft) await cut();
}
