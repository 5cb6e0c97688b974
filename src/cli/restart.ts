// `haraka restart`: services of a running runtime; what others need only together with those.
import { operation } from "./operate.ts";

export const restart = operation("restart", {
  summary: "stop and start services of a running runtime",
  examples: [
    ["restart api", "api"],
    ["restart db --cascade", "db, and around it all that need it"],
  ],
});
