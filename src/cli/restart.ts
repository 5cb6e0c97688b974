// `haraka restart`: services of a running runtime; those that need them go on, or go along.
import { operation } from "./operate.ts";

export const restart = operation("restart", {
  summary: "stop and start services of a running runtime",
  examples: [
    ["restart db", "db; what needs it goes on"],
    ["restart db --cascade", "all that need it, too"],
  ],
});
