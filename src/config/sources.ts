// Which files make up a config: those that were named, and the manifests they include. Reads them into layers and reports every
// file that cannot be used. It does not look at what the layers say, beyond `include` and names.
import { readDocument } from "./document.ts";
import { folderOf, readText, resolvePath, type FileAccess } from "./files.ts";
import type { Layer, Place } from "./layers.ts";
import { isMap, type Path } from "./path.ts";
import type { Values } from "./values.ts";

export interface SourceOptions {
  /** Relative ones are taken from `cwd`. */
  files: readonly string[];
  cwd: string;
  access: FileAccess;
  values: Values;
  report(place: Place, message: string): void;
}

type Root = Omit<Layer, "prefix">;

/** The files in the order in which they are laid over each other. */
export function readLayers(options: SourceOptions): Layer[] {
  return options.files.flatMap((name) => {
    const file = resolvePath(options.cwd, name);
    const root = readRoot(file, startOf(file, options.cwd), options);
    return root ? [{ ...root, prefix: [] }, ...readManifests(root, options)] : [];
  });
}

/** The manifests that a config file includes. Within one config file and its manifests a service has one place. */
function readManifests(root: Root, options: SourceOptions): Layer[] {
  const services = isMap(root.value["services"]) ? Object.keys(root.value["services"]) : [];
  const taken = new Map(services.map((name) => [name, () => placeIn(root, ["services", name], "key")]));
  const layers: Layer[] = [];
  // Places are worked out only for a message: they cost a second reading of the file.
  for (const [file, from] of includedFiles(root, options)) {
    const manifest = readRoot(file, from, options);
    if (!manifest) continue;
    const { name = folderOf(file).split("/").pop(), ...value } = manifest.value;
    const place = () => placeIn(manifest, "name" in manifest.value ? ["name"] : [], "value");
    const other = typeof name === "string" ? taken.get(name) : undefined;
    if (typeof name !== "string" || name === "") {
      options.report(place(), "name: expected the name of the service, as text");
    } else if (other) {
      const { file: otherFile, line, column } = other();
      options.report(
        place(),
        `cannot add service "${name}": ${otherFile}:${line}:${column} has one of that name; set \`name\``,
      );
    } else {
      taken.set(name, place);
      layers.push({ ...manifest, value, prefix: ["services", name] });
    }
  }
  return layers;
}

/** Each file that an `include` leads to, once, with the place to blame for it. Only a pattern with a wildcard may match nothing. */
function includedFiles(root: Root, { access, values, report }: SourceOptions): Map<string, () => Place> {
  const patterns = Array.isArray(root.value["include"]) ? root.value["include"] : [];
  const files = new Map<string, () => Place>();
  for (const [index, pattern] of patterns.entries()) {
    if (typeof pattern !== "string") continue;
    const place = () => placeIn(root, ["include", index], "value");
    const folder = folderOf(root.file);
    let failed = false;
    const text = values.text(pattern, {
      folder: () => folder,
      report(message) {
        failed = true;
        report(place(), message);
      },
    });
    if (failed) continue;
    const path = resolvePath(folder, text);
    const matches = /[*?[{]/.test(path) ? access.glob(path) : [path];
    for (const file of matches) if (!files.has(file)) files.set(file, place);
  }
  return files;
}

/** A file as a map. One that cannot be read is reported at `from`. */
function readRoot(file: string, from: () => Place, { access, cwd, report }: SourceOptions): Root | undefined {
  const start = startOf(file, cwd)();
  const content = readText(file, access);
  if ("problem" in content) {
    report(from(), `cannot read "${start.file}": ${content.problem}`);
    return undefined;
  }
  const document = readDocument(content.text, access.parseYaml);
  if ("problems" in document) {
    for (const { message, ...position } of document.problems) report({ ...start, ...position }, message);
    return undefined;
  }
  if (!isMap(document.value)) {
    report(
      start,
      `expected a map with \`services:\`, got ${Array.isArray(document.value) ? "a list" : "a single value"}`,
    );
    return undefined;
  }
  return { file, shown: start.file, value: document.value, document };
}

/** The start of a file, named relative to the working directory where it lies in it. */
function startOf(file: string, cwd: string): () => Place {
  const shown = file.startsWith(`${cwd}/`) ? file.slice(cwd.length + 1) : file;
  return () => ({ file: shown, absolute: file, line: 1, column: 1 });
}

function placeIn({ document, shown, file }: Root, path: Path, part: "key" | "value"): Place {
  return { ...document.position(path, part), file: shown, absolute: file };
}
