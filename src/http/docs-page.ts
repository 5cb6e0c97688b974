// The page that shows the plane's API and tries it: made of the OpenAPI document, whole in one answer, so that it works where there
// is no internet. Nothing on it runs but its own script.
import { exampleOf, escape, nameOf, prose, type Schemas, shapeOf, table, typeOf } from "./docs-schema.ts";
import { SCRIPT } from "./docs-script.ts";
import { STYLE } from "./docs-style.ts";
import type { OpenApiDocument, OpenApiOperation, Parameter } from "./openapi.ts";

interface Shown extends OpenApiOperation {
  method: string;
  path: string;
}

export function docsPage({ info, tags, paths, components: { schemas } }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Shown => ({ ...operation, method, path })),
  );
  const groups = tags.map((tag) => ({
    ...tag,
    of: operations.filter((each) => each.tags.includes(tag.name)),
  }));
  const links = groups.map(({ name, of }) => `<h2>${escape(name)}</h2>${of.map(link).join("")}`);
  const sections = groups.map(
    ({ name, description, of }) =>
      `<section><h2>${escape(name)}</h2><p>${prose(description)}</p>${of.map((each) => operationOf(each, schemas)).join("")}</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(info.title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escape(info.title)}<small>${escape(info.version)} · <a href="openapi.json">openapi.json</a></small></h1>
<p>${prose(info.description)}</p>
</header>
<div class="frame">
<nav aria-label="Operations"><input id="search" type="search" placeholder="Find" aria-label="Find an operation">
${links.join("\n")}
<h2><a href="#schemas">schemas</a></h2></nav>
<main>
${CREDENTIALS}
${sections.join("\n")}
<section id="schemas"><h2>schemas</h2><p>What is sent and answered.</p>${Object.entries(schemas).map(schemaOf).join("")}</section>
</main>
</div>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

const CREDENTIALS = `<details id="credentials"><summary><span class="path">Credentials</span>
<span class="what">for what is sent from this page; kept nowhere</span></summary><div class="inside">
<form autocomplete="off">${["Authorization", "Haraka-Session", "Haraka-Tenant"]
  .map(
    (name) =>
      `<label><span>${name === "Authorization" ? "Bearer token" : name}</span><input name="${name}" type="${name === "Haraka-Tenant" ? "text" : "password"}" autocomplete="off"></label>`,
  )
  .join("")}</form></div></details>`;

function link({ method, path, summary, operationId }: Shown): string {
  const text = escape(`${method} ${path} ${summary}`.toLowerCase());
  const short = escape(path.replace(/^\/api\/v1/, ""));
  return `<a href="#${escape(operationId)}" data-text="${text}">${badge(method)}<span>${short}</span></a>`;
}

function badge(method: string): string {
  return `<span class="method ${escape(method)}">${escape(method.toUpperCase())}</span>`;
}

function operationOf(operation: Shown, schemas: Schemas): string {
  const { method, path, summary, description, operationId, parameters, requestBody, responses } = operation;
  const body = requestBody?.content["application/json"]?.schema;
  const answers = Object.entries(responses).map(([status, answer]) => {
    const types = Object.entries(answer.content ?? {}).map(([type, { schema }]) => {
      return type === "text/event-stream" ? `${typeOf(schema)} as a stream` : typeOf(schema);
    });
    const given = types.length === 0 ? "" : `<span class="type">${types.join(", ")}</span> `;
    return `<tr><td>${status}</td><td>${given}${prose(answer.description)}</td></tr>`;
  });
  return `<details id="${escape(operationId)}">
<summary>${badge(method)}<span class="path">${escape(path)}</span><span class="what">${prose(summary)}</span></summary>
<div class="inside">
${description === undefined ? "" : `<p>${prose(description)}</p>`}
${parameters.length === 0 ? "" : `<h4>Parameters</h4>${table(parameters.map(rowOf))}`}
${body === undefined ? "" : `<h4>Body: ${typeOf(body)}</h4>${shapeOf(schemas[nameOf(body) ?? ""] ?? body)}`}
<h4>Answers</h4><table>${answers.join("")}</table>
<h4>Try it</h4>${form(operation, body === undefined ? undefined : exampleOf(body, schemas))}
</div></details>`;
}

function rowOf({ name, required, schema, description }: Parameter) {
  return { name, isRequired: required, schema, description };
}

/** Headers that are filled in elsewhere. */
const ELSEWHERE = new Set(["Haraka-Tenant"]);

function form({ method, path, parameters, responses }: Shown, example: unknown): string {
  const fields = parameters
    .filter(({ name }) => !ELSEWHERE.has(name))
    .map(
      ({ name, in: where, required }) =>
        `<label><span>${escape(name)}</span><input name="${escape(name)}" data-in="${where}"${required ? " required" : ""}></label>`,
    );
  const isStream = responses["200"]?.content?.["text/event-stream"] !== undefined;
  const stream = isStream
    ? '<label><span>as a stream</span><input type="checkbox" name="stream"></label>'
    : "";
  const body =
    example === undefined
      ? ""
      : `<label><span>body</span><textarea name="body" spellcheck="false">${escape(JSON.stringify(example, null, 2))}</textarea></label>`;
  return `<form data-method="${escape(method.toUpperCase())}" data-path="${escape(path)}" autocomplete="off">
${fields.join("")}${stream}${body}<button>Send</button><button type="button" data-stop hidden>Stop</button><pre hidden></pre></form>`;
}

function schemaOf([name, schema]: [string, Schemas[string]]): string {
  return `<details id="schema-${escape(name)}"><summary><span class="path">${escape(name)}</span><span class="what">${prose(schema.description)}</span></summary><div class="inside">${shapeOf(schema)}</div></details>`;
}
