// Makes `import … from "haraka-runtime"` work in module services, with no node_modules beside them: they get what this process
// itself runs on.
import type { z } from "zod";
import { lazily, provideModule } from "../drivers/provide-module.ts";
import {
  ConfigError,
  PlaneError,
  StartupError,
  StoreError,
  TimeoutError,
  UnreachableError,
  UsageError,
} from "../errors.ts";
import { upgradeWebSocket } from "../http/web-sockets.ts";
import { lifecycle, Orchestrator } from "./library.ts";
import { Retry, saga } from "../plane/saga-builder.ts";
import { Service } from "../ports/service.ts";

let provided: Promise<void> | undefined;

/**
 * Once for the process. The names are those of `src/mod.ts`; a test holds them together. Bun, where boot is measured, loads zod
 * when a module first touches it; elsewhere there is no synchronous way to.
 */
export function provideLibrary(): Promise<void> {
  return (provided ??= provide());
}

async function provide(): Promise<void> {
  provideModule("haraka-runtime", {
    Service,
    ConfigError,
    StartupError,
    TimeoutError,
    UsageError,
    Orchestrator,
    lifecycle,
    upgradeWebSocket,
    Retry,
    saga,
    PlaneError,
    StoreError,
    UnreachableError,
    // No promise may carry the lazy one: resolving would look for `then` on it, which loads it.
    z: typeof Bun === "undefined" ? (await import("zod")).z : lazily<typeof z>(() => require("zod").z),
  });
}
