// Resolves the scalars of the config: `${…}` in texts, and numbers where text is wanted. Structure never changes here, and what a
// value means is not its business. It remembers which values are secret and where it failed.
import { readText, resolvePath, type FileAccess } from "./files.ts";
import { expand } from "./interpolation.ts";
import { isMap, type Path } from "./path.ts";
import { soundsSecret } from "./secrets.ts";

export interface ValueOptions {
  access: FileAccess;
  env: Readonly<Record<string, string | undefined>>;
  /** What to do about a variable that is not set, besides giving it a default. */
  hint(name: string): string;
}

/** Where a text stands. */
export interface TextPlace {
  /** Relative `${file:…}` paths are taken from here. */
  folder(): string;
  report(message: string): void;
}

/** Where the merged config comes from. */
export interface TreePlace {
  folder(path: Path): string;
  /** A scalar as it is written in its file. */
  literal(path: Path): string;
  report(path: Path, message: string): void;
}

export interface Values {
  /** One text with its references resolved; "" stands for what could not be. */
  text(text: string, place: TextPlace): string;
  /** The whole config with all texts resolved. */
  tree(value: unknown, place: TreePlace): unknown;
  /** Values that must not be shown. */
  secrets: ReadonlySet<string>;
  /** Paths in `tree` that could not be resolved; what stands there means nothing. */
  failed: readonly Path[];
}

export function createValues({ access, env, hint }: ValueOptions): Values {
  const secrets = new Set<string>();
  const failed: Path[] = [];

  function text(written: string, { folder, report }: TextPlace): string {
    return expand(written, {
      report,
      unset: (name) =>
        report(
          `cannot resolve "\${${name}}": the variable is not set; ${hint(name)}, or write \${${name}:-default}`,
        ),
      variable(name) {
        const value = env[name];
        if (value && soundsSecret(name)) secrets.add(value);
        return value;
      },
      file(file) {
        const content = readText(resolvePath(folder(), file), access);
        if ("problem" in content) {
          report(`cannot read "${file}": ${content.problem}`);
          return "";
        }
        const secret = content.text.replace(/\r?\n$/, "");
        if (secret !== "") secrets.add(secret);
        return secret;
      },
    });
  }

  function tree(root: unknown, place: TreePlace): unknown {
    const resolve = (value: unknown, path: Path): unknown => {
      const report = (message: string) => {
        failed.push(path);
        place.report(path, message);
      };
      // Objects would lose it on the way, without a word.
      if (path.at(-1) === "__proto__") report('"__proto__" cannot be a key');
      if (typeof value === "string") {
        if (value.includes("\0")) report("a text cannot have NUL characters");
        return value.includes("$") ? text(value, { folder: () => place.folder(path), report }) : value;
      }
      if (Array.isArray(value)) return value.map((item: unknown, index) => resolve(item, [...path, index]));
      if (isMap(value)) {
        return Object.fromEntries(
          Object.entries(value).map(([key, child]) => [key, resolve(child, [...path, key])]),
        );
      }
      return isTextWanted(path) && value !== null ? place.literal(path) : value;
    };
    return resolve(root, []);
  }

  return { text, tree, secrets, failed };
}

/** Where a number or boolean stands for its own letters: `PORT: 8080`, `[sleep, 1]`, `user: 1000`. */
function isTextWanted(path: Path): boolean {
  const key = path[0] === "services" ? path[2] : undefined;
  if (key === "user" || key === "group") return path.length === 3;
  return (key === "command" || key === "environment") && path.length === 4;
}
