// The system calls behind Unix datagram sockets, which no runtime offers by itself: by FFI, so on Bun and Deno alone.

/** As the C library takes and gives them: a negative number is an error. */
export interface SocketCalls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  setsockopt(fd: number, option: { level: number; name: number; value: Uint8Array }): number;
  fcntl(fd: number, command: number, argument: number): number;
  /** `message` is a `struct msghdr`. */
  recvmsg(fd: number, message: Uint8Array, flags: number): number;
  sendto(fd: number, bytes: Uint8Array, to: { address: Uint8Array; flags: number }): number;
  close(fd: number): number;
  /** Where the bytes are in memory; they do not move while they are held. */
  addressOf(bytes: Uint8Array): bigint;
}

/** Opens the C library of this name. Throws when there is none, or it may not be called. */
export type OpenSocketCalls = (library: string) => SocketCalls;
