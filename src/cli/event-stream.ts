// Reads server-sent events as the HTML standard writes them, section 9.2. Pure: bytes in, events out.

export interface StreamEvent {
  event: string;
  id?: string;
  data: unknown;
}

/** A line has no business being longer; a log line is split at 64 KiB and may double when it is escaped. */
const LINE_CHARS_MAX = 1024 * 1024;

/** Every event with data; `data` is read as JSON. Throws for what is none. */
export async function* readEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  let fields: Record<string, string> = {};
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_CHARS_MAX) throw new Error("a line of the stream does not end");
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line !== "") {
        addField(fields, line);
        continue;
      }
      const { event = "message", data, id } = fields;
      fields = {};
      if (data !== undefined)
        yield { event, data: JSON.parse(data) as unknown, ...(id !== undefined && { id }) };
    }
  }
}

function addField(fields: Record<string, string>, line: string): void {
  const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
  // Comments, the heartbeat among them, have an empty name.
  if (name === undefined || name === "") return;
  const earlier = name === "data" ? fields["data"] : undefined;
  fields[name] = earlier === undefined ? value : `${earlier}\n${value}`;
}
