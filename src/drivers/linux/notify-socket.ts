// systemd's notification protocol, both ways: sockets on which services say that they are ready, and the datagram with which this
// runtime says it to whoever started it. Idle it costs nothing: the kernel announces a datagram by SIGIO. Linux only, and only
// where there is FFI; it never interprets a notice.
import process from "node:process";
import { messageOf } from "../../errors.ts";
import type { Notice } from "../../ports/probe.ts";
import type { SocketCalls } from "../../ports/socket-calls.ts";
import { statOf } from "./stat.ts";

// Linux on 64 bits, x86 and ARM alike: socket(2), unix(7), fcntl(2), recv(2).
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_PASSCRED = 16;
const F_SETFL = 4;
const F_SETOWN = 8;
const O_NONBLOCK = 0o4000;
const O_ASYNC = 0o20000;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** Larger datagrams are ignored, as systemd does. */
const DATAGRAM_BYTES_MAX = 4096;
/** What one socket may say before others have their turn: nobody holds up the loop by talking. */
const BURST = 32;
/** `sun_path` of sockaddr_un. */
const PATH_BYTES_MAX = 107;

/** The process that may speak; filled in when it is known. */
export interface Speaker {
  pid?: number;
  uid?: number;
}

export interface NotifySocket {
  /** For `NOTIFY_SOCKET`; undefined when there is no socket. */
  readonly address?: string;
  /** Reads what is left, and closes it. */
  close(): void;
}

export interface NotifySockets {
  /** Never throws: when there can be no socket, that is the one notice. */
  open(options: { speaker: Speaker; tell(notice: Notice): void }): NotifySocket;
}

export interface NotifySocketsOptions {
  /** Throws when this runtime has no FFI, or may not use it. Asked when a socket is first wanted. */
  openCalls(): SocketCalls;
  /** Called once, the first time a service goes without. */
  onUnable(reason: string): void;
}

export function notifySockets({ openCalls, onUnable }: NotifySocketsOptions): NotifySockets {
  let receiver: Receiver | undefined;
  let unable: string | undefined;
  const readers = new Set<() => void>();

  const prepare = (): Receiver | undefined => {
    if (receiver !== undefined || unable !== undefined) return receiver;
    try {
      receiver = openReceiver(openCalls());
      // It stays for good: without a handler the signal would end the process, and one may be on its way.
      process.on("SIGIO", () => {
        for (const read of readers) read();
      });
    } catch (error) {
      unable = messageOf(error);
      onUnable(unable);
    }
    return receiver;
  };

  return {
    open({ speaker, tell }) {
      const open = prepare();
      const address = `@haraka-${crypto.randomUUID()}`;
      const fd = open?.bind(address) ?? -1;
      if (open === undefined || fd < 0) {
        const reason =
          unable ??
          "cannot open a socket for sd_notify: no file descriptors left; raise the limit (ulimit -n)";
        tell({ type: "mute", reason });
        return { close() {} };
      }
      let closed = false;
      /** When it reads next; until then it does not, however often the kernel announces more: it does so as fast as there is room. */
      let turn: NodeJS.Immediate | undefined;
      const readBurst = (): void => {
        clearImmediate(turn);
        turn = undefined;
        for (let count = 0; count < BURST; count++) {
          const message = open.receive(fd);
          if (message === undefined) break;
          turn ??= setImmediate(readBurst);
          if (maySpeak(message, speaker)) for (const notice of noticesIn(message.text)) tell(notice);
          if (closed) return;
        }
      };
      const read = (): void => {
        if (turn === undefined) readBurst();
      };
      readers.add(read);
      return {
        address,
        close() {
          if (closed) return;
          readBurst();
          // By who was told the last of it.
          if (closed) return;
          closed = true;
          clearImmediate(turn);
          readers.delete(read);
          open.close(fd);
        },
      };
    },
  };
}

interface Message {
  pid: number;
  uid: number;
  /** Empty when it was too large. */
  text: string;
}

interface Receiver {
  /** The descriptor of a new socket, or a negative number. */
  bind(address: string): number;
  /** The next datagram, or undefined when there is none. */
  receive(fd: number): Message | undefined;
  close(fd: number): void;
}

/*
 *  One piece of memory, since what is pointed at has to stay as long as what points at it:
 *
 *  0     the datagram
 *  4096  struct iovec:    +0 base  +8 length
 *  4112  struct cmsghdr:  +0 length  +8 level  +12 type, and struct ucred: +16 pid  +20 uid  +24 gid
 *  4144  struct msghdr:   +16 iovec  +24 how many  +32 control  +40 its length  +48 flags
 *
 *  As control there is room for the sender's credentials alone, so descriptors that are sent along are closed by the kernel.
 */
const VECTOR = DATAGRAM_BYTES_MAX;
const CONTROL = VECTOR + 16;
const CONTROL_BYTES = 32;
const HEADER = CONTROL + CONTROL_BYTES;
const HEADER_BYTES = 56;

function openReceiver(calls: SocketCalls): Receiver {
  const memory = new Uint8Array(new ArrayBuffer(HEADER + HEADER_BYTES));
  const view = new DataView(memory.buffer);
  const header = memory.subarray(HEADER);
  const address = calls.addressOf(memory);
  view.setBigUint64(VECTOR, address, true);
  view.setBigUint64(VECTOR + 8, BigInt(DATAGRAM_BYTES_MAX), true);
  view.setBigUint64(HEADER + 16, address + BigInt(VECTOR), true);
  view.setBigUint64(HEADER + 24, 1n, true);
  view.setBigUint64(HEADER + 32, address + BigInt(CONTROL), true);
  const decoder = new TextDecoder();

  return {
    bind(address) {
      const fd = calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd < 0) return fd;
      const done = [
        calls.setsockopt(fd, { level: SOL_SOCKET, name: SO_PASSCRED, value: Uint8Array.of(1, 0, 0, 0) }),
        calls.bind(fd, socketAddress(address)),
        calls.fcntl(fd, F_SETOWN, process.pid),
        calls.fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC),
      ];
      if (done.every((result) => result >= 0)) return fd;
      calls.close(fd);
      return -1;
    },
    receive(fd) {
      view.setBigUint64(HEADER + 40, BigInt(CONTROL_BYTES), true);
      const length = calls.recvmsg(fd, header, MSG_DONTWAIT);
      if (length < 0) return undefined;
      const cut = (view.getInt32(HEADER + 48, true) & MSG_TRUNC) !== 0;
      return {
        pid: view.getInt32(CONTROL + 16, true),
        uid: view.getUint32(CONTROL + 20, true),
        text: cut ? "" : decoder.decode(memory.subarray(0, length)),
      };
    },
    close: (fd) => void calls.close(fd),
  };
}

/** An address as `NOTIFY_SOCKET` has it, as a `struct sockaddr_un`: a path, or `@` and a name that needs no file. */
function socketAddress(address: string): Uint8Array {
  const path = new TextEncoder().encode(address.startsWith("@") ? `\0${address.slice(1)}` : `${address}\0`);
  const bytes = new Uint8Array(2 + path.length);
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(path, 2);
  return bytes;
}

/**
 * Anybody on this network may send to a name without a file. Listened to are root, this user, the service's, and what descends
 * from the service, whatever user it has become.
 */
function maySpeak({ pid, uid }: Message, speaker: Speaker): boolean {
  return [0, process.geteuid?.(), speaker.uid].includes(uid) || descends(pid, speaker.pid);
}

function descends(pid: number, from: number | undefined): boolean {
  for (let each = pid; each > 1;) {
    if (each === from) return true;
    const stat = statOf(each);
    if (stat === undefined) return false;
    if (stat.session === from) return true;
    each = stat.parent;
  }
  return false;
}

/** sd_notify(3): assignments, one a line. What is not known here is for others. */
function noticesIn(text: string): Notice[] {
  // One NUL at the end is how some languages end a text; inside it is no text.
  const body = text.endsWith("\0") ? text.slice(0, -1) : text;
  return body.includes("\0") ? [] : body.split("\n").flatMap((line) => noticeOf(line) ?? []);
}

function noticeOf(line: string): Notice | undefined {
  switch (line) {
    case "READY=1":
      return { type: "ready" };
    case "RELOADING=1":
      return { type: "reloading" };
    case "STOPPING=1":
      return { type: "stopping" };
    case "WATCHDOG=1":
      return { type: "alive" };
    case "WATCHDOG=trigger":
      return { type: "trigger" };
    default:
      if (!line.startsWith("STATUS=")) return undefined;
      return { type: "status", text: line.slice("STATUS=".length).replace(/\p{Cc}/gu, "") };
  }
}

/** Says something to whoever started this process: `READY`, `STOPPING`, `STATUS`, `MAINPID` and so on. False: nobody heard it. */
export type NotifyManager = (fields: Readonly<Record<string, string | number>>) => boolean;

/**
 * Takes `NOTIFY_SOCKET` out of `environment`, with the rest of the protocol's, so that no child speaks for this process. Without
 * the variable, or without FFI, what is said goes nowhere.
 */
export function notifyManager({
  environment,
  openCalls,
}: {
  environment: Record<string, string | undefined>;
  openCalls(): SocketCalls;
}): NotifyManager {
  const address = environment["NOTIFY_SOCKET"] ?? "";
  for (const name of NOTIFY_VARIABLES) delete environment[name];
  if (!/^[/@]./.test(address) || Buffer.byteLength(address) > PATH_BYTES_MAX) return () => false;
  let calls: SocketCalls | undefined;
  try {
    calls = openCalls();
  } catch {
    return () => false;
  }
  const { socket, sendto, close } = calls;
  return (fields) => {
    const lines = Object.entries(fields).map(
      ([name, value]) => `${name}=${String(value).replaceAll("\n", " ")}`,
    );
    const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const to = { address: socketAddress(address), flags: MSG_DONTWAIT | MSG_NOSIGNAL };
    const sent = sendto(fd, new TextEncoder().encode(lines.join("\n")), to);
    close(fd);
    return sent >= 0;
  };
}

/** Belong to the one process that they were given to. */
const NOTIFY_VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

/** An environment without what this process itself was given to notify with. */
export function withoutNotify<T>(environment: Readonly<Record<string, T>>): Record<string, T> {
  const rest = { ...environment };
  for (const name of NOTIFY_VARIABLES) delete rest[name];
  return rest;
}
