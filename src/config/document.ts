// One YAML file: its value, and where everything in it stands. Positions and source text are worked out only when asked for,
// which on the way where nothing is wrong is never. The only file that knows the YAML library.
import type { Document, LineCounter, Node } from "yaml";
import { messageOf } from "../errors.ts";
import { lookup, type Path } from "./path.ts";

export interface Position {
  /** Counts from 1, as `column`. */
  line: number;
  column: number;
}

export interface YamlDocument {
  value: unknown;
  /** Where a value stands, or its key; the nearest thing around it when the path is not in the file. */
  position(path: Path, part: "key" | "value"): Position;
  /** A scalar as it is written in the file: `022` stays `022`. */
  literal(path: Path): string;
}

export interface YamlProblem extends Position {
  message: string;
}

/** Where it can be done at once, which is Bun, the library is loaded when first needed: on the way where nothing is wrong, never. */
const loaded = typeof Bun === "undefined" ? await import("yaml") : undefined;
const yaml = (): typeof import("yaml") => loaded ?? require("yaml");

const DEPTH_MAX = 64;
const TOO_DEEP = `nested deeper than ${DEPTH_MAX} levels`;
const OPTIONS = { merge: true, schema: "core", prettyErrors: false } as const;

/**
 * Reads one YAML 1.2 document (core schema, with merge keys), or gives every problem of it. `quick` may answer first, see
 * `FileAccess.parseYaml`.
 */
export function readDocument(
  text: string,
  quick?: (text: string) => unknown,
): YamlDocument | { problems: YamlProblem[] } {
  const value = quick?.(text);
  if (value !== undefined && value !== null && !tooDeep(value)) {
    return locate(value, { text, literal: (path) => String(lookup(value, path)) });
  }
  const read = parse(text);
  if ("problems" in read) return read;
  const literals = parseTree(text, "failsafe").document?.toJS();
  return locate(read.value, { text, literal: (path) => String(lookup(literals, path)) });
}

function locate(value: unknown, source: { text: string; literal: YamlDocument["literal"] }): YamlDocument {
  let tree: Tree | undefined;
  return {
    value,
    position: (path, part) => positionIn((tree ??= parseTree(source.text)), { path, part }),
    literal: source.literal,
  };
}

/** What can be made out of a text, however wrong it is; `undefined` for nothing. */
export function readWhatIsThere(text: string): unknown {
  try {
    return parseTree(text).document?.toJS();
  } catch {
    return undefined;
  }
}

/** A value as YAML text. */
export function writeYaml(value: unknown): string {
  return yaml().stringify(value, { lineWidth: 0 });
}

function parse(text: string): { value: unknown } | { problems: YamlProblem[] } {
  try {
    const tree = parseTree(text);
    for (const check of [syntaxProblems, readKeys]) {
      const problems = check(tree);
      if (problems.length > 0) return { problems };
    }
    const value: unknown = tree.document?.toJS();
    if (value === null || value === undefined) return { problems: [at(1, 1, "the file is empty")] };
    return tooDeep(value) ? { problems: [at(1, 1, TOO_DEEP)] } : { value };
  } catch (error) {
    // The library throws for alias bombs, and the engine for a nesting that exhausts the stack.
    const message = messageOf(error);
    return { problems: [at(1, 1, exhaustsStack(message) ? TOO_DEEP : `cannot read YAML: ${message}`)] };
  }
}

function exhaustsStack(message: string): boolean {
  return message.includes("call stack");
}

interface Tree {
  text: string;
  document: Document.Parsed | undefined;
  others: readonly Document.Parsed[];
  lines: LineCounter;
}

function parseTree(text: string, schema: "core" | "failsafe" = "core"): Tree {
  const lines = new (yaml().LineCounter)();
  const documents = yaml().parseAllDocuments(text, { ...OPTIONS, schema, lineCounter: lines });
  const [document, ...others] = Array.isArray(documents) ? documents : [];
  return { text, document, others, lines };
}

/** What is not YAML, and more than one document. */
function syntaxProblems({ text, document, others, lines }: Tree): YamlProblem[] {
  const second = others[0];
  if (second) {
    const message = "a second document starts here; a config file holds one: use several -c files";
    return [problemAt(lines, second.range[0], message)];
  }
  const found = [...(document?.errors ?? []), ...(document?.warnings ?? [])];
  const tooDeepAt = found.find(({ message }) => exhaustsStack(message))?.pos[0];
  if (tooDeepAt !== undefined) return [problemAt(lines, tooDeepAt, TOO_DEEP)];
  const bare = found.map(({ pos }) => pos[0] - 1).find((offset) => text.startsWith("${", offset));
  if (bare !== undefined) {
    const [name = "${"] = /^\$\{[^{}]*\}/.exec(text.slice(bare)) ?? [];
    // What comes after it is a consequence.
    return [
      problemAt(lines, bare, `put ${name} into quotes: between brackets YAML takes its brace for a map`),
    ];
  }
  // A bracket that is not closed is a problem of all the brackets around it, too: one a place is enough.
  const first = found.filter(({ pos }, index) => found[index - 1]?.pos[0] !== pos[0]);
  return first.map(({ code, pos, message }) => {
    const duplicate = code === "DUPLICATE_KEY";
    return problemAt(
      lines,
      pos[0],
      duplicate ? "this key stands here a second time" : `invalid YAML: ${message}`,
    );
  });
}

/**
 * Takes every key as it is written, so that `022: x` is a variable "022". Finds keys that are no texts, of which the library would
 * only warn, and aliases of nothing, of which it would not say the place.
 */
function readKeys({ document, lines }: Tree): YamlProblem[] {
  const problems: YamlProblem[] = [];
  const add = (offset: number | undefined, message: string) =>
    problems.push(problemAt(lines, offset ?? 0, message));
  const anchors = new Set<string>();
  yaml().visit(document ?? null, {
    Pair(_, { key }) {
      if (!yaml().isScalar(key)) add((key as Node).range?.[0], "expected a text as the key");
      // The key of a merge, `<<`, is a symbol.
      else if (typeof key.value !== "symbol") key.value = key.source ?? "";
    },
    Value(_, { anchor }) {
      if (anchor !== undefined) anchors.add(anchor);
    },
    Alias(_, { source, range }) {
      if (!anchors.has(source)) add(range?.[0], `cannot find "&${source}" before this "*${source}"`);
    },
  });
  return problems;
}

function positionIn(
  { document, lines }: Tree,
  { path, part }: { path: Path; part: "key" | "value" },
): Position {
  const { isAlias, isMap, isNode, isScalar, isSeq } = yaml();
  let node: Node | null | undefined = document?.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [index, step] of path.entries()) {
    const container = isAlias(node) ? node.resolve(document as Document) : node;
    let next: unknown;
    if (isMap(container)) {
      const pair = container.items.find(
        ({ key }) => isScalar(key) && String(key.source ?? key.value) === String(step),
      );
      const wantsKey = part === "key" && index === path.length - 1;
      next = wantsKey ? pair?.key : (pair?.value ?? pair?.key);
    } else if (isSeq(container)) {
      next = container.items[Number(step)];
    }
    if (!isNode(next)) break;
    node = next;
    offset = next.range?.[0] ?? offset;
  }
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function tooDeep(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === DEPTH_MAX || Object.values(value).some((child) => tooDeep(child, depth + 1));
}

function problemAt(lines: LineCounter, offset: number, message: string): YamlProblem {
  const { line, col } = lines.linePos(offset);
  return at(line, col, message);
}

function at(line: number, column: number, message: string): YamlProblem {
  return { line, column, message };
}
