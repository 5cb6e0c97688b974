// Reads what a soaked runtime prints, line by line, and keeps account of what its services must have written: every number of a
// flood, the last words of every life, every byte of an endless line. It keeps counts, no lines.
import type { LogRecord } from "../e2e/support/runtime.ts";

export interface Account {
  /** How much of each there was. */
  counts: Record<string, number>;
  /** What should have been there and was not, in words. */
  missing: string[];
}

interface PartRecord extends LogRecord {
  part?: number;
}

/** How far each life of a stream has come, by `service stream pid`. */
type Lives = Map<string, number>;

/** Length of what `endless` writes without a newline. */
const ENDLESS_BYTES = 1_000_000;

export class Bookkeeper {
  readonly #floodLines: number;
  readonly #counts = {
    lines: 0,
    floods: 0,
    crashes: 0,
    endlessLines: 0,
    vanished: 0,
    sick: 0,
    unready: 0,
    reloads: 0,
    schedules: 0,
  };
  readonly #missing: string[] = [];
  /** The life of a stream that is being read, and the number it has reached. */
  readonly #floods: Lives = new Map();
  readonly #firstWords = new Set<string>();
  #endless = { parts: 0, bytes: 0 };

  constructor({ floodLines }: { floodLines: number }) {
    this.#floodLines = floodLines;
  }

  read(line: string): PartRecord {
    this.#counts.lines++;
    const record = JSON.parse(line) as PartRecord;
    const text = String(record.message);
    if (record.stream === "runtime") this.#readStory(record.service, text);
    else if (record.service === "flood") this.#readFlood(record.stream, text);
    else if (record.service === "endless") this.#readEndless(text, record.part ?? 1);
    else if (record.service.startsWith("crash-")) this.#readCrash(record.service, text);
    return record;
  }

  /** What there was and what is missing. A life that the end has cut short is allowed to be short. */
  close(): Account {
    if (this.#firstWords.size > 2)
      this.#missing.push(`the last words of ${[...this.#firstWords].join(", ")}`);
    const cut = [...this.#floods].filter(([, number]) => number < this.#floodLines);
    // Two streams of one life, at most.
    if (cut.length > 2) this.#missing.push(`the ends of ${cut.map(([life]) => life).join(", ")}`);
    return { counts: this.#counts, missing: this.#missing.slice(0, 20) };
  }

  #readStory(service: string, text: string): void {
    if (text.includes("not found")) this.#counts.vanished++;
    if (service === "sick" && text.startsWith("ready")) this.#counts.sick++;
    if (text.startsWith("unready")) this.#counts.unready++;
    if (text.startsWith("config reloaded")) this.#counts.reloads++;
    if (service === "mother" && text.startsWith("completed")) this.#counts.schedules++;
  }

  #readFlood(stream: string, text: string): void {
    const [pid, word] = text.split(" ");
    const number = Number(word);
    const life = `${stream} ${pid}`;
    const before = this.#floods.get(life) ?? 0;
    if (number !== before + 1) this.#missing.push(`between ${before} and ${text} on ${stream}`);
    if (number === this.#floodLines) {
      this.#counts.floods++;
      this.#floods.delete(life);
    } else {
      this.#floods.set(life, number);
    }
  }

  #readCrash(service: string, text: string): void {
    const [word, pid] = text.split(" ");
    const life = `${service} ${pid}`;
    if (word === "first") {
      this.#firstWords.add(life);
    } else if (word === "last" && this.#firstWords.delete(life)) {
      this.#counts.crashes++;
    } else {
      this.#missing.push(`what came before "${text}" of ${service}`);
    }
  }

  #readEndless(text: string, part: number): void {
    if (part === 1) this.#endless = { parts: 0, bytes: 0 };
    this.#endless.bytes += text.length;
    if (part !== ++this.#endless.parts) this.#missing.push(`part ${this.#endless.parts} of the endless line`);
    if (this.#endless.bytes === ENDLESS_BYTES) this.#counts.endlessLines++;
  }
}
