// Whether the modules of a config can be loaded, which only loading them tells. It starts none of them.
import type { Config, ServiceConfig } from "../config/config.ts";
import { inWords } from "../core/restart.ts";
import { systemClock } from "../drivers/clock.ts";
import { captureConsole } from "../drivers/console-capture.ts";
import { loadEntrypoint } from "../drivers/entrypoint.ts";
import { ConfigError, messageOf } from "../errors.ts";
import { provideLibrary } from "./provide-library.ts";
import { diagnosticAt } from "./read-config.ts";

/**
 * Loads every module service as `run` would, without starting it, each within its `startTimeout`. Throws `ConfigError` with all
 * that cannot be. From now on what modules say goes to `say`, for the output is not theirs.
 */
export async function checkModules(config: Config, { say }: { say: (text: string) => void }): Promise<void> {
  if (!config.services.some(({ run }) => run.type === "module")) return;
  captureConsole({ take: (bytes) => say(Buffer.from(bytes).toString()) });
  await provideLibrary();
  const problems = await Promise.all(
    config.services.map(async (service) => {
      const problem = await loadProblem(service);
      return problem === undefined ? [] : [diagnosticAt(config, service.name, problem)];
    }),
  );
  if (problems.flat().length > 0) throw new ConfigError(problems.flat());
}

async function loadProblem({ name, run, startTimeoutMs }: ServiceConfig): Promise<string | undefined> {
  if (run.type !== "module") return undefined;
  const late = Promise.withResolvers<string>();
  const cancel = systemClock().after(startTimeoutMs, () =>
    late.resolve(
      `cannot load ${run.entrypoint} for service "${name}": it has not loaded within its startTimeout of ${inWords(startTimeoutMs)}; look for an await outside of its functions that never ends`,
    ),
  );
  const loaded = loadEntrypoint(name, run).then(() => undefined, messageOf);
  const problem = await Promise.race([loaded, late.promise]);
  cancel();
  return problem;
}
