// The system calls behind Unix datagram sockets, by Bun's FFI. It knows names and types, never what the calls are for.
import type { OpenSocketCalls } from "../ports/socket-calls.ts";

const SYMBOLS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  recvmsg: { args: ["i32", "ptr", "i32"], returns: "i64" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
} as const;

/** The part of `bun:ffi` that is used here: its types are in reach of Bun alone. */
interface BunFfi {
  dlopen(
    library: string,
    symbols: typeof SYMBOLS,
  ): { symbols: Record<keyof typeof SYMBOLS, (...args: (number | Uint8Array)[]) => number | bigint> };
  ptr(bytes: Uint8Array): number;
}

export const openSocketCalls: OpenSocketCalls = (library) => {
  // Found when it is asked for: an import would bind every other runtime to fail.
  const { dlopen, ptr } = process.getBuiltinModule("bun:ffi") as unknown as BunFfi;
  const { symbols } = dlopen(library, SYMBOLS);
  return {
    socket: (domain, type, protocol) => Number(symbols.socket(domain, type, protocol)),
    bind: (fd, address) => Number(symbols.bind(fd, address, address.length)),
    setsockopt: (fd, { level, name, value }) =>
      Number(symbols.setsockopt(fd, level, name, value, value.length)),
    fcntl: (fd, command, argument) => Number(symbols.fcntl(fd, command, argument)),
    recvmsg: (fd, message, flags) => Number(symbols.recvmsg(fd, message, flags)),
    sendto: (fd, bytes, { address, flags }) =>
      Number(symbols.sendto(fd, bytes, bytes.length, flags, address, address.length)),
    close: (fd) => Number(symbols.close(fd)),
    addressOf: (bytes) => BigInt(ptr(bytes)),
  };
};
