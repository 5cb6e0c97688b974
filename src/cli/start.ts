// `haraka start`: services of a running runtime, and what they need.
import { operation } from "./operate.ts";

export const start = operation("start", {
  summary: "start services of a running runtime, and what they need",
  examples: [
    ["start api", "api, and what it needs that is stopped"],
    ["start api worker", "both"],
  ],
});
