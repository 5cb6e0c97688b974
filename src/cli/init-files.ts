// What `haraka init` writes, by path. The texts are for people who see the runtime for the first time.
import { version } from "../compose/version.ts";

export async function initFiles(): Promise<Record<string, string>> {
  const { jsonSchema } = await import("../config/json-schema.ts");
  return {
    "runtime.yaml": CONFIG,
    "services/hello.ts": SERVICE,
    "package.json": asJson({
      private: true,
      type: "module",
      devDependencies: { "haraka-runtime": version, typescript: "^7.0.0" },
    }),
    "tsconfig.json": asJson({
      compilerOptions: {
        target: "esnext",
        module: "nodenext",
        strict: true,
        noEmit: true,
        allowImportingTsExtensions: true,
        skipLibCheck: true,
      },
      include: ["services"],
    }),
    "runtime.schema.json": asJson(jsonSchema()),
    ".gitignore": "node_modules/\ndata/\n.env\n",
  };
}

const asJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const CONFIG = `# yaml-language-server: $schema=./runtime.schema.json
# What this runtime starts. 'haraka validate' checks it, 'haraka run' runs it.
runtime:
  name: hello
  # startup:  { timeout: 60s, onFailure: rollback }   # or: continue
  # shutdown: { budget: auto, drain: auto }
  # log:      { format: auto, level: info }

# Health is at /health, /health/ready and /health/live; module services add routes of their own.
http:
  port: "\${PORT:-8080}"

services:
  hello:
    entrypoint: ./services/hello.ts#Hello
    settings: { greeting: "Hello" }

  # A process: no shell, its own process group, ready when something listens.
  # cache:
  #   command: [redis-server, --port, "6400"]
  #   readiness: { tcp: "127.0.0.1:6400" }
  #   restart: on-failure

  # A task runs once; what depends on it waits until it has ended with 0.
  # migrate:
  #   kind: task
  #   command: [bun, run, migrate.ts]
  #   dependencies: [cache]

  # With a schedule it runs at its times instead.
  # report:
  #   kind: task
  #   command: [bun, run, report.ts]
  #   schedule: "0 6 * * *"
`;

const SERVICE = `import { type Hono, Service, z } from "haraka-runtime";

/** Checked before the service is made; what the config leaves out gets its default here. */
export const settings = z.object({ greeting: z.string().default("Hello") });

export class Hello extends Service<z.infer<typeof settings>> {
  async startup(): Promise<void> {
    this.runtime.log.info(\`\${this.settings.greeting} from \${this.name}\`);
  }

  routes(app: Hono): void {
    app.get("/", (c) => c.text(\`\${this.settings.greeting}, world\\n\`));
  }
}
`;
