// The system calls behind Unix datagram sockets, by Deno's FFI. It knows names and types, never what the calls are for.
import type { OpenSocketCalls } from "../ports/socket-calls.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** The part of Deno's API that is used here; its types are not among the dependencies. */
declare const Deno: {
  dlopen(
    library: string,
    symbols: typeof SYMBOLS,
  ): {
    symbols: Record<keyof typeof SYMBOLS, (...args: (number | bigint | Uint8Array)[]) => number | bigint>;
  };
  UnsafePointer: { of(bytes: Uint8Array): object | null; value(pointer: object | null): number | bigint };
};

export const openSocketCalls: OpenSocketCalls = (library) => {
  const { symbols } = Deno.dlopen(library, SYMBOLS);
  return {
    socket: (domain, type, protocol) => Number(symbols.socket(domain, type, protocol)),
    bind: (fd, address) => Number(symbols.bind(fd, address, address.length)),
    setsockopt: (fd, { level, name, value }) =>
      Number(symbols.setsockopt(fd, level, name, value, value.length)),
    fcntl: (fd, command, argument) => Number(symbols.fcntl(fd, command, argument)),
    recvmsg: (fd, message, flags) => Number(symbols.recvmsg(fd, message, flags)),
    sendto: (fd, bytes, { address, flags }) =>
      Number(symbols.sendto(fd, bytes, BigInt(bytes.length), flags, address, address.length)),
    close: (fd) => Number(symbols.close(fd)),
    addressOf: (bytes) => BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes))),
  };
};
