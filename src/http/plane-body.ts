// The JSON body of a request to the plane: how large and how deep it may be is looked at before it is read and parsed, so that
// no body costs more than it may. It knows no schema.
import { messageOf } from "../errors.ts";
import { Refusal, unprocessable } from "./plane-input.ts";
import { NESTING_MAX } from "./plane-limits.ts";
import { problem } from "./problem.ts";

/** What stands in the body; `undefined` if there is none. Throws {@link Refusal}. */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  if (Number(request.headers.get("content-length") ?? 0) > bytesMax) throw tooLarge(bytesMax);
  if (request.body === null) return undefined;
  refuseOtherTypes(request);
  const text = decode(await readBytes(request.body, bytesMax));
  if (text.trim() === "") return undefined;
  const { depth, rounded } = look(text);
  if (depth > NESTING_MAX) throw unfit(`expected lists and maps at most ${NESTING_MAX} deep in each other`);
  const value = parse(text);
  if (rounded !== undefined)
    throw unfit(`expected whole numbers that are kept as they are, got ${rounded}; send it as a text`);
  if (hasInfinity(value)) throw unfit("expected numbers that JSON can hold");
  return value;
}

function unfit(message: string): Refusal {
  return new Refusal(unprocessable([{ path: "", message }]));
}

function refuseOtherTypes({ headers }: Request): void {
  const given = headers.get("content-type");
  if (given === null) return;
  const [, type, parameters = ""] = /^\s*([^;\s]*)\s*(.*)$/.exec(given) ?? [];
  const charset = /charset\s*=\s*"?([^";\s]+)/i.exec(parameters)?.[1] ?? "utf-8";
  if (/^application\/([\w.-]+\+)?json$/i.test(type ?? "") && /^utf-?8$/i.test(charset)) return;
  const detail = "cannot read a body of this type; send Content-Type: application/json, in UTF-8";
  throw new Refusal(problem({ status: 415, title: "Unsupported Media Type", detail }));
}

async function readBytes(body: ReadableStream<Uint8Array>, bytesMax: number): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    // Leaving the loop early cancels the body: the rest is not read.
    for await (const chunk of body) {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) break;
      chunks.push(chunk);
    }
  } catch {
    throw badRequest("cannot read the body: it was cut off; send it again");
  }
  if (bytes > bytesMax) throw tooLarge(bytesMax);
  return chunks;
}

function decode(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
    return text + decoder.decode();
  } catch {
    throw badRequest("cannot read the body: it is not UTF-8");
  }
}

/**
 * `depth`: how many lists and maps lie open at once; brackets in texts do not count. `rounded`: the first whole number that would be
 * another one after parsing. Of what is no JSON, something.
 */
function look(text: string): { depth: number; rounded: string | undefined } {
  let [depth, deepest, digits] = [0, 0, 0];
  let rounded: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= ZERO && code <= NINE) {
      if (++digits === DIGITS_EXACT + 1) rounded ??= roundedAt(text, at - DIGITS_EXACT);
      continue;
    }
    digits = 0;
    if (code === QUOTE) at = endOfText(text, at);
    else if (code === OPEN_LIST || code === OPEN_MAP) deepest = Math.max(deepest, ++depth);
    else if (code === CLOSE_LIST || code === CLOSE_MAP) depth--;
  }
  return { depth: deepest, rounded };
}

const [QUOTE, ESCAPE, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [34, 92, 91, 93, 123, 125];
const [ZERO, NINE] = [48, 57];
/** Every whole number of so many digits is kept as it is. */
const DIGITS_EXACT = 15;

/** Neither a fraction, nor what stands before or behind one, nor an exponent. */
const WHOLE = /(?<![\d.eE]|[eE][+-])\d+(?![\d.eE])/y;
/** What has more is larger than any number, and refused as that. */
const DIGITS_MAX = 309;

/** The whole number that begins here, unless it is kept as it is, or is none. */
function roundedAt(text: string, start: number): string | undefined {
  WHOLE.lastIndex = start;
  const [digits] = WHOLE.exec(text) ?? [];
  if (digits === undefined || digits.length > DIGITS_MAX) return undefined;
  const kept = Number(digits);
  return kept === Infinity || BigInt(digits) === BigInt(kept) ? undefined : digits;
}

function endOfText(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === ESCAPE) at++;
  }
  return text.length;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`cannot read the body: it is not JSON (${messageOf(error).slice(0, 200)})`);
  }
}

/** `1e999` is JSON, but no number of ours: it would be stored as null. */
function hasInfinity(value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(hasInfinity);
}

function tooLarge(bytesMax: number): Refusal {
  const detail = `cannot read the body: it is larger than ${bytesMax} bytes, which is plane.limits.body`;
  return new Refusal(problem({ status: 413, title: "Content Too Large", detail }));
}

function badRequest(detail: string): Refusal {
  return new Refusal(problem({ status: 400, title: "Bad Request", detail }));
}
