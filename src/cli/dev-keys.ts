// The keyboard of `haraka dev`: single keys on a terminal, whole lines from anything else. The terminal is given back however the
// process ends; a terminal that has gone ends the run.
import process from "node:process";
import type { Desk } from "../compose/dev.ts";
import { statOf } from "../drivers/linux/stat.ts";

const HELP = "keys: r restart one, R all, s status, q quit";

/** Listens until the returned function is called. What is typed is shown by `write`. */
export function listenToKeys(desk: Desk, write: (text: string) => void): () => void {
  if (desk.isTaken) {
    desk.say("no keys: a service reads the standard input");
    return () => {};
  }
  if (!process.stdin.isTTY) return listenToLines(desk);
  // To read there would stop the process.
  return isInBackground() ? () => {} : listenToTerminal(desk, write);
}

/** What a command says, word by word: `r api web`, `R`, `s`, `q`. */
function obey(desk: Desk, line: string): void {
  const [command = "", ...words] = line.trim().split(/\s+/);
  if (command === "r" && words.length > 0) restart(desk, words);
  else if (command === "R") desk.restart(desk.names());
  else if (command === "s") desk.status();
  else if (command === "q") desk.quit();
  else if (command !== "") desk.say(`${HELP}; here: r NAME, R, s or q, and Enter`);
}

/** Names, or the numbers that the status shows. */
function restart(desk: Desk, words: readonly string[]): void {
  const all = desk.names();
  const names = words.map((word) => (/^\d+$/.test(word) ? (all[Number(word) - 1] ?? word) : word));
  desk.restart(names);
}

function listenToLines(desk: Desk): () => void {
  const { stdin } = process;
  let rest = "";
  const onData = (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) obey(desk, line);
  };
  // Its end says nothing: many are started with none.
  stdin
    .setEncoding("utf8")
    .on("data", onData)
    .on("error", () => {});
  return () => void stdin.off("data", onData).pause();
}

function listenToTerminal(desk: Desk, write: (text: string) => void): () => void {
  const { stdin } = process;
  const keyboard = new Keyboard(desk, write);
  const onData = (text: string) => keyboard.take(text);
  const take = () => void stdin.setRawMode(true);
  const giveBack = () => void stdin.setRawMode(false);
  const suspend = () => {
    giveBack();
    process.once("SIGCONT", take);
    process.kill(process.pid, "SIGSTOP");
  };
  keyboard.onSuspend = suspend;
  process.once("exit", giveBack);
  take();
  stdin.setEncoding("utf8").on("data", onData).once("end", desk.quit).once("error", desk.quit);
  desk.say(HELP);
  return () => {
    stdin.off("data", onData).off("end", desk.quit).pause();
    process.off("exit", giveBack);
    giveBack();
  };
}

const ENTER = /^[\r\n]$/;
const ERASE = /^[\x7f\b]$/;
const [CTRL_C, CTRL_D, CTRL_Z, ESCAPE] = ["\x03", "\x04", "\x1a", "\x1b"];
const CLEAR_LINE = "\r\x1b[K";

/** Keys one by one. `r` asks for a name, which is shown as it is typed. */
class Keyboard {
  readonly #desk: Desk;
  readonly #write: (text: string) => void;
  /** What has been typed of a name; nothing when none is asked for. */
  #typed: string | undefined;
  onSuspend = () => {};

  constructor(desk: Desk, write: (text: string) => void) {
    this.#desk = desk;
    this.#write = write;
  }

  take(text: string): void {
    // An arrow or the like means nothing here.
    if (text.startsWith(ESCAPE) && text.length > 1) return;
    for (const key of text) this.#onKey(key);
  }

  #onKey(key: string): void {
    if (key === CTRL_C) return this.#desk.interrupt();
    if (key === CTRL_Z) return this.onSuspend();
    if (this.#typed !== undefined) return this.#onLetter(key, this.#typed);
    if (key === CTRL_D) return this.#desk.quit();
    if (ENTER.test(key)) return this.#write("\n");
    if (key === "r") return this.#ask("");
    obey(this.#desk, key);
  }

  #onLetter(key: string, typed: string): void {
    if (ENTER.test(key)) {
      this.#typed = undefined;
      this.#write("\n");
      if (typed.trim() !== "") restart(this.#desk, typed.trim().split(/\s+/));
    } else if (key === ESCAPE || key === CTRL_D) {
      this.#typed = undefined;
      this.#write(CLEAR_LINE);
    } else {
      this.#ask(ERASE.test(key) ? typed.slice(0, -1) : typed + key);
    }
  }

  /** The whole line each time: the log may have come in between. */
  #ask(typed: string): void {
    const choice = this.#desk.names().map((name, index) => `${index + 1} ${name}`);
    this.#typed = typed;
    this.#write(`${CLEAR_LINE}restart (${choice.join(", ")}): ${typed}`);
  }
}

/** Of the terminal's process groups ours is not the one in front; outside Linux it is not known. */
function isInBackground(): boolean {
  const stat = statOf("self");
  return stat !== undefined && stat.group !== stat.front;
}
