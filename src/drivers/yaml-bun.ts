// YAML read by Bun's own parser, and JSON by JavaScript's, some fifty times faster than by a cold YAML library; that difference
// is most of a boot. They let pass what the config refuses, duplicate keys among them, so they are asked only about texts of a
// plain kind, on which all are tested to agree; all else is left to the real reader. It never reports a problem.

/**
 * What a line is made of: marks (first group), quoted texts, plain ones, space and comment, and whatever is none of these (second
 * group). A plain text has no mark inside, so that it means the same within brackets and without.
 */
const TOKEN =
  /([-:](?= |$)|[[\]{},])|"(?:[^"\\]|\\["\\nt])*"|'[^']*'|(?!-0)[\w./$-](?:[^ ,[\]{}:]|:(?! |$)| +(?=[^ ,[\]{}:#]))*|(?:^| +)#.*| +|(.)/g;

/** A text of JSON, the colon after a key, or a number, a boolean or null. */
const JSON_TOKEN = /"(?:[^"\\]|\\.)*"|:|[^"\s:,[\]{}]+/g;

/** Null as a key is something else to Bun; of the others, `literal` would not give back the spelling. */
const WORD = /^(?:null|Null|NULL|True|TRUE|False|FALSE|-?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** Tabs, carriage returns, separators, control characters and whatever else may not be seen. */
const UNSEEN = /[^\n -~\xA1-\u1FFF\u2030-\uD7FF]/;

/** An implicit key may not be longer. */
const LINE_LENGTH_MAX = 1024;

/** The value of a YAML text, or `undefined` when it is not sure (or this is not Bun). Never throws. */
export function parseYaml(text: string): unknown {
  if (typeof Bun === "undefined" || UNSEEN.test(text)) return undefined;
  if (text.startsWith("{")) return parseJson(text);
  let entries = 0;
  for (const line of text.split("\n")) {
    const shape = line.length > LINE_LENGTH_MAX ? "?" : shapeOf(line);
    if (!isPlain(shape)) return undefined;
    entries += shape.split(":").length - 1;
  }
  try {
    const value: unknown = Bun.YAML.parse(text);
    // Every entry has left its colon, so equal counts mean that no key replaced another.
    return entries === countEntries(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** JSON is YAML, as generated configs rely on; one in brackets that is not JSON is left to the real reader. */
function parseJson(text: string): unknown {
  let entries = 0;
  for (const [token] of text.matchAll(JSON_TOKEN)) {
    if (token === ":") entries++;
    else if (!(token.startsWith('"') ? isPlainText(token) : isCanonical(token))) return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    return entries === countEntries(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a quoted text has only the escapes that are common to all, and could be a key. */
function isPlainText(quoted: string): boolean {
  return quoted.length <= LINE_LENGTH_MAX && !/\\[^"\\nt]/.test(quoted.replaceAll("\\\\", ""));
}

/** A line as its marks, with `s` for every scalar and `?` for what is not plain: `- a: [b, "c"]` is `-s:[s,s]`. */
function shapeOf(line: string): string {
  return line.replace(TOKEN, (token: string, mark?: string, strange?: string) => {
    if (mark !== undefined) return mark;
    if (strange !== undefined) return "?";
    if (/^[ #]/.test(token)) return "";
    return isCanonical(token) ? "s" : "?";
  });
}

/** Whether a line is nothing, `- …` or `key: …`, with at most one scalar or one collection in brackets (`c`) after it. */
function isPlain(shape: string): boolean {
  let reduced = shape;
  for (let before = ""; before !== reduced;) {
    before = reduced;
    reduced = reduced.replace(/\[(?:[sc](?:,[sc])*)?\]|\{(?:s:[sc](?:,s:[sc])*)?\}/g, "c");
  }
  return /^(?:|-+[sc]?|-*s:[sc]?)$/.test(reduced);
}

/** Whether a scalar reads the same to all: a number only as JavaScript prints it, as `literal` relies on. */
function isCanonical(scalar: string): boolean {
  const number = Number(scalar);
  return Number.isNaN(number) ? !WORD.test(scalar) : String(number) === scalar;
}

function countEntries(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const children = Object.values(value);
  const own = Array.isArray(value) ? 0 : children.length;
  return children.reduce((sum: number, child) => sum + countEntries(child), own);
}
