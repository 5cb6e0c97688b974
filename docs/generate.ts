// Writes docs/config.md and config/schema.json from the schema of the config: `bun run docs`. A test compares both with what this
// would write. It adds nothing that the schema does not say, except the rules about files and values that no schema can hold.
import { writeFileSync } from "node:fs";
import { jsonSchema } from "../src/config/json-schema.ts";

type Scalar = string | number | boolean;

interface Schema {
  type?: string | string[];
  description?: string;
  default?: Scalar | object;
  const?: Scalar;
  enum?: Scalar[];
  pattern?: string;
  items?: Schema;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | false;
}

const INTRODUCTION = `# The config

Made from the schema by \`bun run docs\`. An editor checks and completes a config whose first line is
\`# yaml-language-server: $schema=./schema.json\`; \`haraka schema\` prints that file.

**Files.** \`-c FILE\`, repeatable: later files win per key; maps merge, lists and scalars replace. \`include\` takes manifests of single
services; a pattern with a wildcard may match nothing, any other must exist, and no two may give the same name. Relative paths in
\`entrypoint\`, \`cwd\`, \`envFile\`, \`watch\`, \`include\` and \`\${file:…}\` are relative to the file they stand in. The control socket, the log file and the
database are relative to the state folder: \`HARAKA_DATA\`, else \`STATE_DIRECTORY\` (systemd), else \`data\` in the working directory.

**Format.** YAML 1.2 with anchors and merge keys; one document, UTF-8, at most 1 MiB and 64 levels deep. An unknown key is an error. So is
a key without a value: leave the line out instead.

**Values.** \`\${NAME}\`, \`\${NAME:-default}\` (unset or empty), \`\${NAME:?message}\`, \`\${file:/run/secrets/x}\` (its last newline is dropped) and \`$$\`
for \`$\` are resolved in every text, after YAML is read. Text becomes a number or boolean where one is wanted. Durations are whole numbers
with a unit: \`250ms\`, \`5s\`, \`2m\`, \`1h\`. So are sizes: \`500B\`, \`64KiB\`, \`10MiB\`, \`1GiB\`, and by thousands \`64KB\`, \`10MB\`, \`1GB\`. \`\${HARAKA_SELF}\` is this
executable; \`\${HARAKA_REPLICA}\` is the number of the replica, in the values of a service only.

**Secrets.** \`control.token\`, \`discovery.traefik.token\`, the tokens of \`plane.auth\`, and values from \`\${file:…}\`, from variables named like a secret (\`…TOKEN\`, \`…PASSWORD\`, \`…SECRET\`, \`…KEY\`, \`…CREDENTIALS\`, \`AUTHORIZATION\`, \`COOKIE\`), under keys and behind
flags named so, and in the userinfo of URLs are hidden in messages and in \`haraka validate --print\`.

**Services.** A name starts with a letter and has up to 63 lower-case letters, digits, \`.\`, \`_\` and \`-\`. A service has either \`command\` (a process) or
\`entrypoint\` (a module in this process); \`settings\` and \`readiness: manual\` are for modules; \`environment\`, \`envFile\`, \`cwd\`, \`user\`,
\`group\`, \`shell\`, \`stdin\`, \`stopSignal\`, \`forwardSignals\`, \`notificationFd\` and probes of the output or by \`notify\` are for processes. A probe has one of
\`http\`, \`tcp\`, \`exec\`, \`notify\`, \`log\`, \`logPattern\`; only the first three can tell whether something lives. \`dependencies\` and \`exitCodeFrom\`
name a service, with all its replicas, or one replica, as \`api-1\`: a dependency on several needs all of them for \`started\`, one for \`ready\`.

**Routes.** A rule is Traefik's (version 3), in one line, its values in backticks. A longer rule wins unless there is a \`priority\`. Two routes with the same rule, the same
priority and an entry point in common are refused. They lead to \`port\` of the route, else of the service, else where its probe asks; a module's
to \`http.port\`. They are published when there is \`discovery.traefik\`, and written out by \`haraka emit\`.

**The plane.** There is one when \`plane\` or \`store\` is there, \`plane: {}\` is enough. All keys of \`store\` but \`driver\` and \`path\` are for \`redis\`, which needs
one of \`url\`, \`cluster\` and \`sentinel\` (docs/operations.md). \`intents\` need a plane.

**Discovery.** There is a registry when \`discovery\` or a plane is there. Found in it are services with a \`port\`, modules with routes or that handle
intents; no tasks. \`svc://SERVICE/PATH\` in \`intents\` and in a module's \`this.runtime.fetch\` leads to one that is ready. See [discovery.md](discovery.md).

**Sagas.** The steps of an intent run in order. A step has one of \`execute\`, \`parallel\`, \`signal\`, \`sleep\`; all but a parallel group have a \`name\`, unique
in the saga. 2xx is done. A refused connection, 425 and 429 are not done and are tried again; after 408, 5xx, a timeout or a cut connection nobody knows (\`inDoubt\`);
any other answer has failed for certain. When a step fails, what was done or may be is undone by \`compensate\`, the last first; after the \`pivot\` nothing is undone, and
what fails there waits for an operator, as does a \`compensate\` that keeps failing.
`;

/** Where a map was described, by its properties: many have the same. */
const described = new Map<string, string>();

/** The text of docs/config.md. */
export function configReference(): string {
  const sections: string[] = [];
  described.clear();
  addSection("Top level", jsonSchema() as Schema, sections);
  return `${INTRODUCTION}\n${sections.join("\n")}`;
}

/** The text of config/schema.json. */
export function schemaFile(): string {
  return `${JSON.stringify(jsonSchema(), null, 2)}\n`;
}

/** A table for one map, then the sections of the maps inside it. */
function addSection(title: string, { properties = {} }: Schema, sections: string[]): void {
  const before = described.get(JSON.stringify(properties));
  if (before !== undefined) {
    sections.push(`## ${title}\n\nAs under \`${before}\`.\n`);
    return;
  }
  described.set(JSON.stringify(properties), title);
  const rows = Object.entries(properties).map(
    ([key, schema]) =>
      `| \`${key}\` | ${typeOf(schema)} | ${defaultOf(schema)} | ${schema.description ?? ""} |`,
  );
  sections.push(
    [`## ${title}`, "", "| key | type | default | meaning |", "| --- | --- | --- | --- |", ...rows, ""].join(
      "\n",
    ),
  );
  for (const [key, schema] of Object.entries(properties)) {
    const prefix = title === "Top level" ? "" : `${title}.`;
    for (const { map, suffix } of mapsIn(schema)) addSection(`${prefix}${key}${suffix}`, map, sections);
  }
}

function mapsIn(schema: Schema, suffix = ""): { map: Schema; suffix: string }[] {
  if (schema.properties) return [{ map: schema, suffix }];
  const inside = schema.additionalProperties ? mapsIn(schema.additionalProperties, `${suffix}.NAME`) : [];
  const items = schema.items ? mapsIn(schema.items, `${suffix}[]`) : [];
  return [...inside, ...items, ...(schema.anyOf ?? []).flatMap((branch) => mapsIn(branch, suffix))];
}

function typeOf(schema: Schema): string {
  return [...new Set(typesOf(schema))].join(", ");
}

function typesOf(schema: Schema): string[] {
  if (schema.anyOf) return schema.anyOf.flatMap(typesOf);
  if (schema.const !== undefined) return [`\`${schema.const}\``];
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``);
  if (schema.pattern === "\\$\\{") return [];
  if (schema.pattern?.includes("\\.\\.")) return ["`MIN..MAX`"];
  if (schema.pattern?.includes("\\/")) return ["`COUNT/DURATION`"];
  if (schema.pattern?.includes("ms|s|m|h")) return ["duration"];
  if (schema.pattern?.includes("KiB")) return ["size"];
  if (schema.properties) return ["map"];
  if (schema.additionalProperties) return ["map"];
  if (schema.items) return [`list of ${typeOf(schema.items)}`];
  if (schema.type === "string" || Array.isArray(schema.type)) return ["text"];
  return [schema.type === "integer" ? "whole number" : (schema.type ?? "anything")];
}

function defaultOf({ default: value }: Schema): string {
  return value === undefined || value === "" || typeof value === "object" ? "" : `\`${value}\``;
}

if (import.meta.main) {
  writeFileSync(new URL("config.md", import.meta.url), configReference());
  writeFileSync(new URL("../config/schema.json", import.meta.url), schemaFile());
}
