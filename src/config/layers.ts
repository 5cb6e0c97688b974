// The files of a config laid over each other: what they say together, and which of them said what. Later files win per key: maps
// merge, lists and scalars replace. It reads no files and knows no schema.
import type { Position, YamlDocument } from "./document.ts";
import { folderOf } from "./files.ts";
import { isMap, lookup, type Path, type RawMap } from "./path.ts";

/** One file that could be read. */
export interface Layer {
  /** Absolute path. */
  file: string;
  /** The file as messages name it. */
  shown: string;
  /** Where its root stands in the config: empty, or one service for a manifest. */
  prefix: Path;
  value: RawMap;
  document: YamlDocument;
}

export interface Place extends Position {
  /** As messages name it. */
  file: string;
  /** Absolute path. */
  absolute: string;
}

export function mergeLayers(base: RawMap, layers: readonly Pick<Layer, "prefix" | "value">[]): RawMap {
  return layers.reduce((merged, { prefix, value }) => {
    const nested = prefix.reduceRight<unknown>((inner, step) => ({ [step]: inner }), value);
    return merge(merged, nested) as RawMap;
  }, base);
}

function merge(base: unknown, over: unknown): unknown {
  if (!isMap(base) || !isMap(over)) return over;
  const entries = Object.entries(over).map(([key, value]) => [
    key,
    Object.hasOwn(base, key) ? merge(base[key], value) : value,
  ]);
  return { ...base, ...Object.fromEntries(entries) };
}

/**
 * Where a path of the merged config stands, in the file that had the last word. A map or list stands where its key does; what
 * is missing stands where that which should hold it does.
 */
export function locate(layers: readonly Layer[], path: Path, part: "key" | "value" = "value"): Place {
  const found = owner(layers, path);
  if (found) {
    const { layer, rest } = found;
    const scalar = typeof lookup(layer.value, rest) !== "object";
    return {
      ...layer.document.position(rest, scalar ? part : "key"),
      file: layer.shown,
      absolute: layer.file,
    };
  }
  if (path.length > 0) return locate(layers, path.slice(0, -1));
  return { line: 1, column: 1, file: layers[0]?.shown ?? "", absolute: layers[0]?.file ?? "" };
}

/** The folder of the file that says what stands at a path. */
export function folderAt(layers: readonly Layer[], path: Path): string {
  return folderOf(owner(layers, path)?.layer.file ?? "/");
}

/** A scalar of the merged config as it is written in its file. */
export function literalAt(layers: readonly Layer[], path: Path): string {
  const found = owner(layers, path);
  return found ? found.layer.document.literal(found.rest) : "";
}

function owner(layers: readonly Layer[], path: Path): { layer: Layer; rest: Path } | undefined {
  for (const layer of layers.toReversed()) {
    const rest = path.slice(layer.prefix.length);
    const inside = layer.prefix.every((step, index) => path[index] === step);
    if (inside && lookup(layer.value, rest) !== undefined) return { layer, rest };
  }
  return undefined;
}
