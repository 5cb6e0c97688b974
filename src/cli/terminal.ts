// The terminal as a screen that is borrowed: raw keys, a second screen, no cursor; given back however the process ends. It draws
// what it is handed and knows nothing of it.
import { writeSync } from "node:fs";
import process from "node:process";

/** What a verb prints may be coloured. */
export function colourful(env: Readonly<Record<string, string | undefined>>): boolean {
  return process.stdout.isTTY && (env["NO_COLOR"] ?? "") === "";
}

/** The terminal's width; nothing where the output is none. */
export function columns(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/** Somebody sees what is said beside the output. */
export function isWatched(): boolean {
  return process.stderr.isTTY;
}

/** Both keys and screen are there. */
export function isInteractive(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

export interface Screen {
  size(): { columns: number; rows: number };
  draw(lines: readonly string[]): void;
  /** Gives the terminal back. Later calls do nothing. */
  restore(): void;
}

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
/** Each line is cleared behind its text instead of the whole screen before, so nothing flickers. */
const CLEAR_LINE = "\x1b[K";
const HOME = "\x1b[H";
const CLEAR_BELOW = "\x1b[J";

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;

/** `onInput` gets what was typed, as the terminal says it. */
export function openScreen(options: { onInput(text: string): void; onResize(): void }): Screen {
  const { stdin, stdout } = process;
  let borrowed = true;
  const onData = (bytes: Buffer) => options.onInput(bytes.toString("utf8"));
  const restore = () => {
    if (!borrowed) return;
    borrowed = false;
    stdin.off("data", onData).setRawMode(false).pause();
    stdout.off("resize", options.onResize);
    process.off("exit", restore);
    for (const [name, listener] of signals) process.off(name, listener);
    write(LEAVE);
  };
  const signals = Object.entries(SIGNALS).map(([name, number]) => {
    // Leaving by `exit` runs `restore`.
    return [name, () => process.exit(128 + number)] as const;
  });
  process.once("exit", restore);
  for (const [name, listener] of signals) process.once(name, listener);
  write(ENTER);
  stdin.setRawMode(true).on("data", onData).resume();
  stdout.on("resize", options.onResize);
  return {
    size: () => ({ columns: stdout.columns, rows: stdout.rows }),
    draw(lines) {
      if (borrowed) write(HOME + lines.map((line) => line + CLEAR_LINE).join("\r\n") + CLEAR_BELOW);
    },
    restore,
  };
}

function write(text: string): void {
  let left = Buffer.from(text);
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(1, left));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) return;
    }
  }
}
