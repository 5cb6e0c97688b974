// Who may use control over TCP: the bearer of the token, by a name that is this runtime's own.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { guarded } from "../../src/http/control-guard.ts";

const TOKEN = "s3cret-t0ken";
const guard = guarded(() => new Response("in"), {
  token: TOKEN,
  isOwnHost: (name) => name === "shop.internal",
});

async function ask(headers: Record<string, string>): Promise<[status: number, body: string]> {
  const answer = await guard(
    new Request("http://x/", { headers: { host: "localhost:8080", ...headers } }),
    {},
  );
  return [answer.status, await answer.text()];
}

const right = { authorization: `Bearer ${TOKEN}` };

suite("the token", () => {
  test("the right one opens, whatever the case of the scheme", async () => {
    assert.deepEqual(await ask(right), [200, "in"]);
    assert.deepEqual(await ask({ authorization: `bearer  ${TOKEN}` }), [200, "in"]);
  });

  const wrong: Record<string, Record<string, string>> = {
    none: {},
    empty: { authorization: "" },
    "only the scheme": { authorization: "Bearer " },
    another: { authorization: "Bearer s3cret-t0keN" },
    "a part of it": { authorization: `Bearer ${TOKEN.slice(0, -1)}` },
    "it and more": { authorization: `Bearer ${TOKEN}${TOKEN}` },
    "another scheme": { authorization: `Basic ${TOKEN}` },
    "the bare token": { authorization: TOKEN },
  };
  for (const [name, headers] of Object.entries(wrong)) {
    test(`${name}: 401, and nothing about why`, async () => {
      const [status, body] = await ask(headers);
      assert.equal(status, 401);
      assert.deepEqual(JSON.parse(body), { type: "about:blank", title: "Unauthorized", status: 401 });
    });
  }

  test("401 names the scheme", async () => {
    const answer = await guard(new Request("http://x/"), {});
    assert.equal(answer.headers.get("www-authenticate"), "Bearer");
  });
});

suite("Host and Origin", () => {
  for (const host of [
    "localhost",
    "LOCALHOST:1",
    "127.0.0.1:8080",
    "127.9.9.9",
    "[::1]:8080",
    "shop.internal:80",
  ]) {
    test(`Host ${host} is served`, async () => assert.equal((await ask({ ...right, host }))[0], 200));
  }

  for (const host of [
    "evil.example",
    "localhost.evil.example",
    "notlocalhost",
    "127.0.0.1.evil.example",
    "10.0.0.7:8080",
    "[::2]",
    "",
  ]) {
    test(`Host "${host}" is refused`, async () => assert.equal((await ask({ ...right, host }))[0], 403));
  }

  test("a request without Host, as HTTP/1.0, is served", async () => {
    const request = new Request("http://x/", { headers: right });
    assert.equal((await guard(request, {})).status, 200);
  });

  test("the same Origin is served, whatever the scheme", async () => {
    for (const origin of ["http://localhost:8080", "https://localhost:8080"])
      assert.equal((await ask({ ...right, origin }))[0], 200);
  });

  for (const origin of [
    "http://evil.example",
    "http://localhost:9090",
    "null",
    "http://localhost:8080.evil.example",
  ]) {
    test(`Origin ${origin} is refused`, async () => assert.equal((await ask({ ...right, origin }))[0], 403));
  }

  test("without the token a foreign Host learns nothing", async () => {
    assert.equal((await ask({ host: "evil.example" }))[0], 401);
  });
});
