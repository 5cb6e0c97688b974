// Module services from disk: imports `./file.ts#Name`, validates its settings with the schema the file itself exports, and
// gives the service. Every failure names the service and the entrypoint; it never starts anything.
import { statSync } from "node:fs";
import type { ModuleConfig } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { Service, type ServiceLike } from "../ports/service.ts";

/** What an exported `settings` has to be: any schema that follows Standard Schema (standardschema.dev), as zod's do. */
interface Schema {
  "~standard": { validate(value: unknown): Validation | Promise<Validation> };
}

interface Validation {
  value?: unknown;
  issues?: readonly { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined }[];
}

/**
 * A new instance of the class that the entrypoint names, or the object it names, called `service`. Throws an error that says
 * all that is wrong: the file, the export or the settings.
 */
export async function loadEntrypoint(service: string, module: ModuleConfig): Promise<ServiceLike> {
  try {
    const exports = await importFile(module.file);
    const exported = exports[module.exportName];
    if (exported === undefined) throw new Error(noSuchExport(module.exportName, exports));
    const settings = await validSettings(module.settings, exports.settings);
    const instance = instantiate(exported, settings);
    if (!isService(instance)) {
      throw new Error(
        `the export "${module.exportName}" is no service: it needs startup(), shutdown(), routes() or health()`,
      );
    }
    // The config's key is the name, whatever the class says; a getter on it would refuse an assignment.
    return Object.defineProperty(instance, "name", {
      value: service,
      writable: true,
      configurable: true,
      enumerable: true,
    });
  } catch (error) {
    throw new Error(`cannot load ${module.entrypoint} for service "${service}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function importFile(file: string): Promise<Record<string, unknown>> {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) throw new Error(`no file at ${file}`);
  try {
    return await import(urlOf(file));
  } catch (error) {
    // Which version of a file it was says nothing to whoever wrote it.
    const problem = importProblem(error).replaceAll(/\?v=\d+/g, "");
    throw new Error(`its import failed: ${problem}`, { cause: error });
  }
}

/** `node:url` takes longer to load than a small module. */
function urlOf(file: string): string {
  const { pathToFileURL } = typeof Bun === "undefined" ? process.getBuiltinModule("node:url") : Bun;
  return pathToFileURL(file).href;
}

/** Bun collects syntax errors as positioned messages; Node puts the position into the first line of the stack, Deno into the message. */
function importProblem(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(positioned).join("; ");
  if (error instanceof SyntaxError && error.stack !== undefined)
    return `${messageOf(error)} (${error.stack.split("\n", 1)[0]})`;
  return positioned(error);
}

function positioned(error: unknown): string {
  const position = (error as { position?: { file: string; line: number; column: number } | null } | null)
    ?.position;
  return position == null
    ? messageOf(error)
    : `${position.file}:${position.line}:${position.column} ${messageOf(error)}`;
}

function noSuchExport(name: string, exports: Record<string, unknown>): string {
  const names = Object.keys(exports).filter((key) => key !== "settings");
  const there = names.length === 0 ? "nothing" : names.map((key) => `"${key}"`).join(", ");
  const hint = names[0] === undefined ? "" : `; name one as #${names[0]}`;
  return name === "default"
    ? `it has no default export (it exports ${there})${hint}`
    : `it has no export "${name}" (it exports ${there})`;
}

async function validSettings(settings: unknown, schema: unknown): Promise<unknown> {
  if (!isSchema(schema)) return settings;
  // A service without `settings:` has none to give, which a schema of optional keys should accept.
  const result = await schema["~standard"].validate(settings ?? {});
  if (result.issues === undefined) return result.value;
  const problems = result.issues.map(({ message, path = [] }) => {
    const keys = ["settings", ...path.map((part) => String(typeof part === "object" ? part.key : part))];
    return `${keys.join(".")}: ${message}`;
  });
  throw new Error(`its settings are invalid: ${problems.join("; ")}`);
}

function isSchema(value: unknown): value is Schema {
  return (typeof value === "object" || typeof value === "function") && value !== null && "~standard" in value;
}

function instantiate(exported: unknown, settings: unknown): unknown {
  if (typeof exported === "function") return Reflect.construct(exported, [settings]);
  if (typeof exported === "object" && exported !== null && settings !== undefined)
    Object.assign(exported, { settings });
  return exported;
}

function isService(value: unknown): value is ServiceLike {
  if (value instanceof Service) return true;
  if (typeof value !== "object" || value === null) return false;
  return ["startup", "shutdown", "routes", "health"].some(
    (method) => typeof Reflect.get(value, method) === "function",
  );
}
