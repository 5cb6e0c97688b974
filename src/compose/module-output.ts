// What module services say on the console and on the streams of this process, on its way to the log: as the output of the service
// that says it, cut into lines like the output of processes. Nothing is taken over before there is a module.
import type { ConsoleCapture } from "../drivers/console-capture.ts";
import { type LineSplitter, lineSplitter } from "../drivers/line-splitter.ts";
import type { LogLevel, Output, OutputStream } from "../ports/log.ts";
import type { Inside } from "../ports/service.ts";

export interface ModuleOutput {
  /** From now on what is said becomes records. A second call does nothing. */
  open(): Promise<void>;
  /** Calls what is that service's. */
  inside(service: string): Inside;
  /** Calls what is no service's. */
  outside: Inside;
  /** Calls what imports the file of a service. */
  importing<T>(service: string, options: { file: string; load: () => Promise<T> }): Promise<T>;
  /** The last line of each may have no newline. */
  end(): void;
}

/** `name` is the runtime's: what no service says is its output. */
export function moduleOutput({ output, name }: { output: Output; name: string }): ModuleOutput {
  const streams = new Map<string, CutStream>();
  const streamOf = (service: string, stream: OutputStream): CutStream => {
    const key = `${stream} ${service}`;
    const known = streams.get(key) ?? new CutStream(output, { service, stream });
    streams.set(key, known);
    return known;
  };
  let capture: ConsoleCapture | undefined;
  let opening: Promise<void> | undefined;
  const open = async (): Promise<void> => {
    const { captureConsole } = await import("../drivers/console-capture.ts");
    capture = captureConsole({
      take: (bytes, { speaker = name, stream, level }) => streamOf(speaker, stream).write(bytes, level),
    });
  };
  return {
    open: () => (opening ??= open()),
    inside: (service) => (work) => (capture ? capture.as(service, work) : work()),
    outside: (work) => (capture ? capture.as(undefined, work) : work()),
    importing: (service, options) => (capture ? capture.importing(service, options) : options.load()),
    end() {
      for (const stream of streams.values()) stream.end();
    },
  };
}

class CutStream {
  readonly #splitter: LineSplitter;
  /** Of what came last. */
  #level: LogLevel = "info";

  constructor(output: Output, { service, stream }: { service: string; stream: OutputStream }) {
    this.#splitter = lineSplitter((lines) => {
      // One that stays open is waited for at the end.
      const sink = output.open(service, stream, { level: this.#level });
      sink.write(lines);
      sink.end();
    });
  }

  write(bytes: Uint8Array, level: LogLevel): void {
    this.#level = level;
    this.#splitter.push(bytes);
  }

  end(): void {
    this.#splitter.end();
  }
}
