// What the executable is made of.
import { join } from "node:path";
import type { CompileOptions } from "./compile.ts";

const root = join(import.meta.dir, "..");

export const PRODUCT: Pick<CompileOptions, "entrypoint" | "later"> = {
  entrypoint: join(root, "src/main.ts"),
  later: {
    croner: join(root, "build/later/croner.ts"),
    yaml: join(root, "build/later/yaml.ts"),
    zod: join(root, "build/later/zod.ts"),
    "./diagnose.ts": join(root, "src/config/diagnose.ts"),
  },
};
