// The OpenAPI document: valid by somebody else's judgement, with every route of the app and no other, and the page that is made of
// it, which holds to its own rules.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { suite, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { inspectRoutes } from "hono/dev";
import { createDocs } from "../../src/http/docs.ts";
import { openApi, type OpenApiDocument } from "../../src/http/openapi.ts";
import { PLANE_LIMITS } from "../../src/http/plane-limits.ts";
import { planeRig } from "./plane-rig.ts";

const OPTIONS = { name: 'shop <b>"x"</b>', version: "1.2.3", limits: PLANE_LIMITS, hasAuth: false };
const docs = createDocs(OPTIONS);
const get = async (path: string, method = "GET") =>
  docs(new Request(`http://localhost${path}`, { method }), {});

/** Every value under this key, however deep. */
function all(value: unknown, wanted: string): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => [
    ...(key === wanted ? [each] : []),
    ...all(each, wanted),
  ]);
}

suite("the document", () => {
  test("is OpenAPI 3.1 with and without auth, and every reference in it leads somewhere", async () => {
    for (const hasAuth of [true, false]) {
      const document = openApi({ ...OPTIONS, hasAuth });
      const { valid, errors } = await new Validator().validate(structuredClone(document));
      assert.ok(valid, JSON.stringify(errors));
      const known = Object.keys(document.components.schemas).map((id) => `#/components/schemas/${id}`);
      const used = new Set(all(document, "$ref"));
      assert.deepEqual(
        [...used].filter((ref) => !known.includes(String(ref))),
        [],
      );
      assert.deepEqual(
        known.filter((id) => !used.has(id)),
        [],
      );
    }
  });

  test("that breaks the rules would be found", async () => {
    const broken = { ...openApi(OPTIONS), paths: { "/x": { get: { responses: { 200: {} } } } } };
    assert.equal((await new Validator().validate(broken)).valid, false);
  });

  test("has every route of the app, and the app every operation", () => {
    const { paths } = openApi(OPTIONS);
    const told = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`),
    );
    const routes = inspectRoutes(planeRig().app).filter(({ method }) => method !== "ALL");
    assert.deepEqual(told.toSorted(), routes.map(({ method, path }) => `${method} ${path}`).toSorted());
    assert.equal(new Set(all(paths, "operationId")).size, told.length);
  });

  test("says what is required and limited as it is checked", () => {
    const { paths, components } = openApi({
      ...OPTIONS,
      limits: { ...PLANE_LIMITS, pageMax: 50, keyBytesMax: 99 },
    });
    const wal = paths["/api/v1/wal"]!.get!;
    const limit = wal.parameters.find(({ name }) => name === "limit");
    assert.deepEqual(limit?.schema, { type: "integer", minimum: 1, maximum: 50, default: 50 });
    assert.deepEqual(components.schemas.NewIntent?.required, ["type", "session", "payload"]);
    const { user } = components.schemas.NewSession!.properties as Record<string, unknown>;
    assert.deepEqual(user, { type: "string", minLength: 1, maxLength: 99 });
    const schemes = (path: string, method: string) =>
      Object.keys(Object.assign({}, ...(paths[path]![method]!.security as object[])));
    assert.deepEqual(schemes("/api/v1/intents", "post"), ["bearer", "session"]);
    assert.deepEqual(schemes("/api/v1/wal", "get"), ["bearer"]);
  });

  test("is served to anybody", async () => {
    const response = await get("/openapi.json");
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.deepEqual(await response.json(), JSON.parse(JSON.stringify(openApi(OPTIONS))));
    assert.equal((await get("/openapi.json", "POST")).status, 405);
    assert.equal(await (await get("/openapi.json", "HEAD")).text(), "");
  });
});

suite("the page", () => {
  test("runs its own script and style and nothing else, and asks nobody for anything", async () => {
    const response = await get("/docs");
    const policy = response.headers.get("content-security-policy")!;
    const html = await response.text();
    const hashes = (tag: string) =>
      [...html.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, "g"))].map(
        ([, text]) => `'sha256-${createHash("sha256").update(text!).digest("base64")}'`,
      );
    assert.match(policy, /^default-src 'none';/);
    assert.ok(policy.includes(`script-src ${hashes("script").join(" ")};`));
    assert.ok(policy.includes(`style-src ${hashes("style").join(" ")};`));
    assert.equal(hashes("script").length + hashes("style").length, 2);
    assert.doesNotMatch(html, /https?:\/\/|\son\w+=|style="|src=/);
  });

  test("shows every operation with a form, every schema, and no markup of others", async () => {
    const html = await (await get("/docs")).text();
    const { paths, components }: OpenApiDocument = openApi(OPTIONS);
    for (const id of all(paths, "operationId"))
      assert.ok(html.includes(`<details id="${String(id)}">`), String(id));
    for (const id of Object.keys(components.schemas))
      assert.ok(html.includes(`<details id="schema-${id}">`), id);
    assert.equal(html.match(/<form data-method/g)?.length, all(paths, "operationId").length);
    assert.ok(!html.includes("<b>"));
    for (const [, target] of html.matchAll(/href="#([^"]+)"/g))
      assert.ok(html.includes(`id="${target}"`), target);
  });
});
