// Reads a config from memory, through the real reader and through Bun's parser where it vouches, and holds the two together.
import assert from "node:assert/strict";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { parseYaml } from "../../src/drivers/yaml-bun.ts";
import { ConfigError } from "../../src/errors.ts";
import { type MemoryConfig, memoryConfig } from "../fakes/config-files.ts";

/** One file `runtime.yaml`, or whole `MemoryConfig`. */
type Given = string | MemoryConfig;

/** The config, or its problems line by line. */
function read(given: Given): Config | string[] {
  const source = memoryConfig(typeof given === "string" ? { files: { "runtime.yaml": given } } : given);
  const attempt = (reader: object) => {
    try {
      return loadConfig({ ...source, ...reader });
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      return error.message.split("\n");
    }
  };
  const result = attempt({});
  assert.deepEqual(attempt({ parseYaml }), result);
  return result;
}

/** Every problem, as `FILE:LINE:COLUMN PATH: MESSAGE`. */
export function problemsOf(given: Given): string[] {
  const result = read(given);
  assert.ok(Array.isArray(result), "it was accepted");
  return result;
}

export function configOf(given: Given): Config {
  const result = read(given);
  assert.ok(!Array.isArray(result), Array.isArray(result) ? result.join("\n") : "");
  return result;
}

/** The one service of a config, or the first. */
export function serviceOf(given: Given): Config["services"][number] {
  const [service] = configOf(given).services;
  assert.ok(service);
  return service;
}
