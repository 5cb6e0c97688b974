// Prints lines of several services as one text: a name in front where there are several, pieces of a long line put together
// again. What services wrote is passed on as it is.
import { systemClock } from "../drivers/clock.ts";
import { ExitCode } from "../errors.ts";
import type { LineView } from "../http/control-views.ts";
import type { Clock } from "../ports/clock.ts";
import { type Client, servicePath } from "./client.ts";
import type { Io } from "./verb.ts";

export interface PrintOptions {
  names: readonly string[];
  follow: boolean;
  tail?: number;
  json: boolean;
  io: Io;
  /** Default: the system's. */
  clock?: Pick<Clock, "after">;
}

/** Servers take 16 KiB of request line and headers. */
const NAMES_CHARS_MAX = 4_000;

/** Resolves when all is printed, when the runtime has ended, or when nobody reads any more. */
export async function printLogs(client: Client, options: PrintOptions): Promise<number> {
  const { follow, tail, io, clock = systemClock() } = options;
  const printer = linePrinter(options);
  const paths = groups(options.names).map(([first = "", ...also]) => {
    const query = new URLSearchParams(also.map((name) => ["also", name]));
    if (tail !== undefined) query.set("tail", String(tail));
    if (follow) query.set("follow", "true");
    return servicePath(first, `/logs?${query}`);
  });
  if (!follow) {
    const answers = await Promise.all(
      paths.map((path) => client.ask<{ items: LineView[] }>("GET", path).then(({ body }) => body.items)),
    );
    const lines = answers.flat().toSorted((one, other) => Date.parse(one.time) - Date.parse(other.time));
    for (const line of lines) if (!printer.line(line)) break;
    printer.end();
    return ExitCode.ok;
  }
  const closed = new AbortController();
  const losses = lossReport({
    clock,
    say: (lines) => io.stderr(`haraka: ${lines} lines lost: printing is too slow\n`),
  });
  try {
    await Promise.all(
      paths.map(async (path) => {
        for await (const { event, data } of client.events(path, closed.signal)) {
          if (event === "lost") losses.add((data as { lost: number }).lost);
          else if (event === "line" && !printer.line(data as LineView)) closed.abort();
        }
      }),
    );
  } finally {
    losses.end();
  }
  printer.end();
  return ExitCode.ok;
}

/** Who prints too slowly for a flood would else be told of it all the time. */
const LOSSES_MS = 1_000;

/** Says the first loss at once and what follows added up, at most once a second. */
function lossReport({ clock, say }: { clock: Pick<Clock, "after">; say: (lines: number) => void }) {
  let lines = 0;
  let stopWaiting: (() => void) | undefined;
  const tell = (): void => {
    stopWaiting = undefined;
    if (lines === 0) return;
    say(lines);
    lines = 0;
    stopWaiting = clock.after(LOSSES_MS, tell);
  };
  return {
    add(more: number): void {
      lines += more;
      if (stopWaiting === undefined) tell();
    },
    end(): void {
      stopWaiting?.();
      if (lines > 0) say(lines);
    },
  };
}

/** As few as there may be with a path that is not too long. */
function groups(names: readonly string[]): string[][] {
  const all: string[][] = [];
  let room = 0;
  for (const name of names) {
    const length = encodeURIComponent(name).length + "&also=".length;
    const last = all.at(-1);
    if (last === undefined || length > room) {
      all.push([name]);
      room = NAMES_CHARS_MAX - length;
    } else {
      last.push(name);
      room -= length;
    }
  }
  return all;
}

/** `line` is false when nobody reads any more. */
function linePrinter({ names, json, io }: PrintOptions): { line(line: LineView): boolean; end(): void } {
  const width = Math.max(0, ...names.map((name) => name.length));
  /** A piece of a line that may go on. */
  let open: LineView | undefined;
  const print = (text: string): boolean => io.stdout(text) !== false;
  const close = (): string => {
    const ending = open === undefined ? "" : "\n";
    open = undefined;
    return ending;
  };
  return {
    line(line) {
      if (json) return print(`${JSON.stringify(line)}\n`);
      if (isContinued(open, line)) {
        open = line;
        return print(line.message);
      }
      const prefix = names.length > 1 ? `${line.service.padEnd(width)} | ` : "";
      const text = close() + prefix + line.message;
      if (line.part === undefined) return print(`${text}\n`);
      open = line;
      return print(text);
    },
    end: () => void print(close()),
  };
}

function isContinued(open: LineView | undefined, { service, stream, part }: LineView): boolean {
  return (
    open?.part !== undefined && open.service === service && open.stream === stream && part === open.part + 1
  );
}
