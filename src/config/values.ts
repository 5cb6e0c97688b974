// Resolves the scalars of the config: `${…}` in texts, and numbers where text is wanted. Structure never changes here, and what a
// value means is not its business. It remembers which values are secret and where it failed.
import { readText, resolvePath, type FileAccess } from "./files.ts";
import { expand } from "./interpolation.ts";
import { isMap, lookup, type Path } from "./path.ts";
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
  /** The number of the replica whose value it is; absent where there is none. */
  replica?: () => number;
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
  /** The whole config with all texts resolved, or the part of it at a path, for one of its replicas. */
  tree(value: unknown, place: TreePlace, part?: { path: Path; replica: number }): unknown;
  /** Values that must not be shown. */
  secrets: ReadonlySet<string>;
  /** The variables that gave a value, but for those that the runtime has by itself. */
  variables: ReadonlySet<string>;
  /** Paths in `tree` that could not be resolved; what stands there means nothing. */
  failed: readonly Path[];
  /** Services with a value that is another one for each replica. */
  replicated: ReadonlySet<string>;
}

const REPLICA = "HARAKA_REPLICA";
const SELF = "HARAKA_SELF";
const NO_REPLICA = `cannot resolve "\${${REPLICA}}": only the values of a service have it, and \`replicas\` is not among them`;

export function createValues({ access, env, hint }: ValueOptions): Values {
  const secrets = new Set<string>();
  const variables = new Set<string>();
  const failed: Path[] = [];
  const replicated = new Set<string>();

  function text(written: string, { folder, report, replica }: TextPlace): string {
    return expand(written, {
      report,
      unset: (name) =>
        report(
          `cannot resolve "\${${name}}": the variable is not set; ${hint(name)}, or write \${${name}:-default}`,
        ),
      variable(name) {
        if (name === REPLICA) {
          if (!replica) report(NO_REPLICA);
          return String(replica?.() ?? 1);
        }
        const value = env[name];
        if (value && soundsSecret(name)) secrets.add(value);
        if (value !== undefined && name !== SELF) variables.add(name);
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

  function tree(root: unknown, place: TreePlace, { path: start = [] as Path, replica = 1 } = {}): unknown {
    const resolve = (value: unknown, path: Path): unknown => {
      const report = (message: string) => {
        failed.push(path);
        place.report(path, message);
      };
      // Objects would lose it on the way, without a word.
      if (path.at(-1) === "__proto__") report('"__proto__" cannot be a key');
      if (typeof value === "string") {
        if (value.includes("\0")) report("a text cannot have NUL characters");
        if (!value.includes("$")) return value;
        const service = serviceAt(path);
        const own = service !== undefined && { replica: () => (replicated.add(service), replica) };
        return text(value, { folder: () => place.folder(path), report, ...own });
      }
      if (Array.isArray(value)) return value.map((item: unknown, index) => resolve(item, [...path, index]));
      if (isMap(value)) {
        return Object.fromEntries(
          Object.entries(value).map(([key, child]) => [key, resolve(child, [...path, key])]),
        );
      }
      return isTextWanted(path) && value !== null ? place.literal(path) : value;
    };
    const resolved = resolve(root, start);
    for (const token of tokensIn(resolved)) if (typeof token === "string" && token !== "") secrets.add(token);
    return resolved;
  }

  return { text, tree, secrets, variables, failed, replicated };
}

/** Whatever stands where a token should. */
function tokensIn(config: unknown): unknown[] {
  const tokens = lookup(config, ["plane", "auth", "tokens"]);
  return [
    lookup(config, ["control", "token"]),
    lookup(config, ["discovery", "traefik", "token"]),
    ...(Array.isArray(tokens) ? tokens.map((entry: unknown) => lookup(entry, ["token"])) : []),
  ];
}

/** The service whose value stands here. */
function serviceAt([root, service, key]: Path): string | undefined {
  return root === "services" && key !== undefined && key !== "replicas" ? String(service) : undefined;
}

/** Where a number or boolean stands for its own letters: `PORT: 8080`, `[sleep, 1]`, `user: 1000`. */
function isTextWanted(path: Path): boolean {
  if (path[0] === "discovery") return path[1] === "traefik" && path[2] === "token" && path.length === 3;
  if (path[0] === "control") return path[1] === "token" && path.length === 2;
  if (path[0] === "intents") {
    const isHeader = path.at(-2) === "headers" && path[3] === "steps";
    return isHeader || (path[3] === "version" && path.length === 4);
  }
  const key = path[0] === "services" ? path[2] : undefined;
  if (key === "user" || key === "group") return path.length === 3;
  if (path[3] === "exec") return path.length === 5;
  return (key === "command" || key === "environment") && path.length === 4;
}
