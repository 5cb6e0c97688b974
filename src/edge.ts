// For edge workers: `import { edge, Service } from "haraka-runtime/edge"`. Re-exports only; needs no `node:`.
export { edge, type EdgeHandler, type EdgeOptions } from "./compose/edge.ts";
export type { PlaneOptionsOverHttp } from "./compose/plane-options.ts";
export { Retry, type Saga, saga } from "./plane/saga-builder.ts";
export { type Runtime, Service, type ServiceLike } from "./ports/service.ts";
export type { Hono } from "hono";
