// Where a runtime can be reached, read from a config that need not be in order: only `control.socket` and `http` are looked at, and
// whatever of them cannot be told has its default. For those who ask a runtime while somebody is at work on its files. It reports
// no problem: that is for who reads the config whole.
import { readWhatIsThere } from "./document.ts";
import { folderOf, readText, resolvePath } from "./files.ts";
import { mergeLayers } from "./layers.ts";
import type { ConfigSource } from "./load.ts";
import { isMap, lookup, type Path, type RawMap } from "./path.ts";
import { BUILT_IN } from "./schema.ts";
import { stateFolderOf } from "./state-folder.ts";
import { createValues } from "./values.ts";

export interface Doors {
  /** Absolute. */
  socket: string | false;
  http: { host: string; port: number } | false;
}

const DEFAULT_PORT = 8080;

export function doorsOf(source: ConfigSource): Doors {
  const { env, cwd } = source;
  const files = source.files.map((file) => resolvePath(cwd, file));
  const layers = files.flatMap((file) => {
    const content = readText(file, source);
    const value = "text" in content ? readWhatIsThere(content.text) : undefined;
    return isMap(value) ? [{ file, value }] : [];
  });
  const merged = layers.reduce<RawMap>((below, { value }) => over(below, value), BUILT_IN);
  const values = createValues({ access: source, env, hint: () => "" });

  /** The scalar at a path as the last file has it; absent where it cannot be told. */
  const read = (path: Path): unknown => {
    const value = lookup(merged, path);
    if (typeof value !== "string") return value;
    let failed = false;
    const file = layers.findLast((layer) => lookup(layer.value, path) !== undefined)?.file;
    const text = values.text(value, {
      folder: () => (file === undefined ? cwd : folderOf(file)),
      report: () => (failed = true),
    });
    return failed || text === "" ? undefined : text;
  };
  return { socket: socketOf(read(["control", "socket"]), source), http: httpOf(read) };
}

function over(below: RawMap, { control, http }: RawMap): RawMap {
  const value = { ...(control !== undefined && { control }), ...(http !== undefined && { http }) };
  return mergeLayers(below, [{ prefix: [], value }]);
}

function socketOf(named: unknown, { env, cwd }: ConfigSource): string | false {
  if (isOff(named)) return false;
  return resolvePath(stateFolderOf(env, { cwd }), typeof named === "string" ? named : "haraka.sock");
}

function httpOf(read: (path: Path) => unknown): Doors["http"] {
  if (isOff(read(["http"]))) return false;
  const host = read(["http", "host"]);
  const port = Number(read(["http", "port"]));
  const isPort = Number.isInteger(port) && port > 0 && port < 65_536;
  return { host: typeof host === "string" ? host : "0.0.0.0", port: isPort ? port : DEFAULT_PORT };
}

/** Also as the text that a variable gives. */
const isOff = (value: unknown): boolean => value === false || value === "false";
