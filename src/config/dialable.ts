// Where on this machine somebody is reached who listens on an address of a config. It opens nothing.

/** Whether who listens there does so at each of the machine's addresses. */
export const isEverywhere = (host: string): boolean => host === "0.0.0.0" || host === "::";

/** What listens everywhere is asked on loopback; IPv6 needs its brackets. */
export function dialable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
