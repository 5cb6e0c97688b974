// For edge workers: `import { edge, Service } from "haraka-runtime/edge"`. Re-exports only; needs no `node:`.
export { edge, type EdgeHandler, type EdgeOptions } from "./compose/edge.ts";
export { type Runtime, Service, type ServiceLike } from "./ports/service.ts";
export type { Hono } from "hono";
