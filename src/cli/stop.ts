// `haraka stop`: services of a running runtime; what others need only together with those.
import { operation } from "./operate.ts";

export const stop = operation("stop", {
  summary: "stop services of a running runtime, which goes on without them",
  examples: [
    ["stop worker", "worker"],
    ["stop db --cascade", "db, and before it all that need it"],
  ],
});
