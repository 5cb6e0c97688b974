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

/** A value as YAML text. */
export function writeYaml(value: unknown): string {
  return yaml().stringify(value, { lineWidth: 0 });
}

function parse(text: string): { value: unknown } | { problems: YamlProblem[] } {
  try {
    const tree = parseTree(text);
    const problems = problemsOf(tree);
    if (problems.length > 0) return { problems };
    const value: unknown = tree.document?.toJS();
    if (value === null || value === undefined) return { problems: [at(1, 1, "the file is empty")] };
    if (tooDeep(value)) return { problems: [at(1, 1, `nested deeper than ${DEPTH_MAX} levels`)] };
    return { value };
  } catch (error) {
    // The library throws for alias bombs, and the engine for a nesting that exhausts the stack.
    return { problems: [at(1, 1, `cannot read YAML: ${messageOf(error)}`)] };
  }
}

interface Tree {
  document: Document.Parsed | undefined;
  others: readonly Document.Parsed[];
  lines: LineCounter;
}

function parseTree(text: string, schema: "core" | "failsafe" = "core"): Tree {
  const lines = new (yaml().LineCounter)();
  const documents = yaml().parseAllDocuments(text, { ...OPTIONS, schema, lineCounter: lines });
  const [document, ...others] = Array.isArray(documents) ? documents : [];
  return { document, others, lines };
}

function problemsOf({ document, others, lines }: Tree): YamlProblem[] {
  const second = others[0];
  if (second) {
    const { line, col } = lines.linePos(second.range[0]);
    return [at(line, col, "a second document starts here; a config file holds one: use several -c files")];
  }
  return [...(document?.errors ?? []), ...(document?.warnings ?? [])].map((problem) => {
    const { line, col } = lines.linePos(problem.pos[0]);
    const duplicate = problem.code === "DUPLICATE_KEY";
    return at(
      line,
      col,
      duplicate ? "this key stands here a second time" : `invalid YAML: ${problem.message}`,
    );
  });
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

function at(line: number, column: number, message: string): YamlProblem {
  return { line, column, message };
}
