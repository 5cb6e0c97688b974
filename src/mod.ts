// The library: `import { Orchestrator, Service, lifecycle, z } from "haraka-runtime"`. Re-exports only; nothing in src imports it.
export { type DocsProvider, lifecycle, Orchestrator, type OrchestratorOptions } from "./compose/library.ts";
export type { DiscoveryOptions } from "./compose/discovery-options.ts";
export type { PlaneOptions } from "./compose/plane-options.ts";
export type { StoreOption } from "./compose/store-option.ts";
export type { UseOptions } from "./compose/use-options.ts";
export {
  ConfigError,
  PlaneError,
  StartupError,
  StoreError,
  TimeoutError,
  UnreachableError,
  UsageError,
} from "./errors.ts";
export { upgradeWebSocket } from "./http/web-sockets.ts";
export type { Clock } from "./ports/clock.ts";
export type { Log } from "./ports/log.ts";
export type { InstanceState, RegistryEntry, RegistryReader, RegistryTarget } from "./ports/registry.ts";
export type { RuntimeEvent } from "./ports/runtime-event.ts";
export { type Runtime, Service, type ServiceLike } from "./ports/service.ts";
export { Retry, type Saga, saga } from "./plane/saga-builder.ts";
export type { Hono } from "hono";
export { z } from "zod";
