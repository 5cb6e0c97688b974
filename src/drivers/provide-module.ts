// Lets modules on disk import a package that is not installed beside them: what they get is what this process already has, so
// a `Service` they extend is the runtime's own. One way for Bun, compiled or not, and one for Node and Deno.
import * as nodeModule from "node:module";

/** From now on `import … from name` gives `exports`, in every module loaded later. */
export function provideModule(name: string, exports: Readonly<Record<string, unknown>>): void {
  if (typeof Bun === "undefined") provideByHooks(name, exports);
  else provideByPlugin(name, exports);
}

function provideByPlugin(name: string, exports: Readonly<Record<string, unknown>>): void {
  Bun.plugin({
    name,
    setup(build) {
      build.module(name, () => ({ loader: "object", exports }));
    },
  });
}

function provideByHooks(name: string, exports: Readonly<Record<string, unknown>>): void {
  const url = `${name}:provided`;
  // A source text can reach the objects of this process only by way of the global scope.
  const key = Symbol.for(url);
  Object.assign(globalThis, { [key]: exports });
  const names = Object.keys(exports).map((each) => `export const ${each} = exports.${each};`);
  const source = `const exports = globalThis[Symbol.for(${JSON.stringify(url)})];\n${names.join("\n")}`;
  nodeModule.registerHooks({
    resolve: (specifier, context, next) =>
      specifier === name ? { url, format: "module", shortCircuit: true } : next(specifier, context),
    load: (loading, context, next) =>
      loading === url ? { format: "module", source, shortCircuit: true } : next(loading, context),
  });
}

/**
 * An object that is loaded when something is first read from it: an export that is costly and that few modules touch. `load`
 * gives the same object every time.
 */
export function lazily<T extends object>(load: () => T): T {
  return new Proxy({} as T, {
    get: (_target, key) => Reflect.get(load(), key),
    has: (_target, key) => Reflect.has(load(), key),
  });
}
