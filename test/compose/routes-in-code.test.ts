import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../src/errors.ts";
import { Service } from "../../src/ports/service.ts";
import { testRuntime } from "../../src/testing.ts";

class Routed extends Service {
  readonly #rule: string;

  constructor(name: string, rule: string) {
    super();
    this.name = name;
    this.#rule = rule;
  }

  override startup(): void {
    this.runtime.routes.add({ rule: this.#rule });
  }
}

test("services in code have routes, which are checked and looked up, and told to nobody", async () => {
  const api = new Routed("api", "Host(`shop.example`) && PathPrefix(`/api`)");
  await using runtime = await testRuntime([api, new Routed("web", "PathPrefix(`/`)")]);
  assert.ok(runtime.events.length > 0);
  const { routes } = api.runtime;
  assert.equal(routes.urlOf("api"), "http://shop.example/api");
  assert.equal(routes.serviceOf("http://shop.example/api/7"), "api");
  assert.equal(routes.serviceOf("http://other.example/api/7"), "web");
  assert.throws(() => routes.add({ rule: "PathPrefix(`/`)" }), UsageError);
});
