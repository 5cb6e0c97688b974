// What a request says about where it was sent: its Host, and the Origin of the page that made it. Reads headers only; who the
// peer is, connection.ts knows.

/** This machine, whatever its other names are. */
export function isLoopbackName(name: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(name);
}

/** Without port and brackets, in small letters. */
export function hostnameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d*$/, "")
    .replace(/^\[(.*)\]$/, "$1");
}

/** The scheme may differ: in front of the runtime may be a proxy that speaks TLS. */
export function isSameOrigin(origin: string, host: string | null): boolean {
  return host !== null && /^https?:\/\/(.+)$/.exec(origin.toLowerCase())?.[1] === host.toLowerCase();
}
