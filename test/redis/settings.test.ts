// A Redis that is not as a store needs it: settings under which it may lose what it acknowledged, no memory left, no writes taken, users
// that may not do everything, and neighbours whose keys are not ours.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { done, record } from "../contracts/store-tools.ts";
import { storeFolder, Writer } from "../drivers/store-rig.ts";
import { freePort } from "../e2e/support/ports.ts";
import { RedisServer } from "./server.ts";
import { openStoreIn, patient, storeConfig } from "./store-rig.ts";

let server: RedisServer;
before(async () => {
  server = await RedisServer.start();
});
after(() => server[Symbol.asyncDispose]());

describe("settings under which Redis may lose what it has acknowledged", () => {
  const settings: [name: string, right: string, wrong: string][] = [
    ["appendonly", "yes", "no"],
    ["appendfsync", "always", "everysec"],
    ["maxmemory-policy", "noeviction", "allkeys-lru"],
  ];
  for (const [name, right, wrong] of settings) {
    test(`\`${name} ${wrong}\` is refused by its name, or taken with a warning`, async () => {
      await server.command("CONFIG", "SET", name, wrong);
      const says = `its \`${name}\` is \`${wrong}\`, not \`${right}\``;
      await assert.rejects(openStoreIn({ url: server.url }), {
        name: "StoreError",
        message: `cannot use the store ${server.url}: ${says}; set it, or say \`store.checks: warn\``,
      });
      const warned: string[] = [];
      const onWarning = (message: string) => void warned.push(message);
      const store = await openStoreIn({ url: server.url }, { checks: "warn", onWarning });
      assert.deepEqual(warned, [`the store ${server.url} may lose what it has acknowledged: ${says}`]);
      await store.close();
      await server.command("CONFIG", "SET", name, right);
    });
  }

  test("with settings that nobody may read it goes on, with a warning for each", async () => {
    await server.command("ACL", "SETUSER", "blind", "on", ">pw", "~*", "&*", "+@all", "-config");
    const warned: string[] = [];
    const onWarning = (message: string) => void warned.push(message);
    const url = server.url.replace("//", "//blind:pw@");
    const store = await openStoreIn({ url }, { onWarning });
    assert.deepEqual(
      warned,
      settings.map(
        ([name]) =>
          `the store ${server.url} may lose what it has acknowledged: its \`${name}\` cannot be read`,
      ),
    );
    await store.close();
  });
});

test("what a newer version has written is left alone", async () => {
  const config = storeConfig({ url: server.url });
  const key = `${config.namespace}:version`;
  await server.command("SET", key, "2");
  const refused = {
    name: "StoreError",
    message: `cannot use the store ${server.url}: what is in the namespace '${config.namespace}' is of version 2, and this program knows 1; use the one that wrote it, or a newer one`,
  };
  await assert.rejects(openStoreIn({ url: server.url }, config), refused);
  assert.deepEqual(await server.command("KEYS", `${config.namespace}:*`), [key]);
  await server.command("DEL", key);
  await (await openStoreIn({ url: server.url }, config)).close();
  assert.equal(await server.command("GET", key), "1");
});

test("out of memory nothing is acknowledged and nothing half written, and it goes on once there is some", async () => {
  const store = await openStoreIn({ url: server.url });
  const write = () =>
    store.commit("t", {
      append: [record(undefined, "x".repeat(1_000))],
      put: [{ key: "k", value: 1 }],
      remove: ["gone"],
    });
  await done(store.commit("t", { put: [{ key: "gone", value: 1 }] }));
  await server.command("CONFIG", "SET", "maxmemory", "1mb");
  await assert.rejects(write(), {
    name: "StoreError",
    message: /^cannot write to the store redis:.*: .*OOM/,
  });
  assert.deepEqual(await store.log("t", { after: 0, limit: 10 }), []);
  assert.deepEqual(
    (await store.get("t", ["k", "gone"])).map((entry) => entry?.value),
    [undefined, 1],
  );
  await server.command("CONFIG", "SET", "maxmemory", "0");
  assert.equal((await done(write())).firstSeq, 1);
  await store.close();
});

test("a Redis that becomes a replica is none until it is a master again", async () => {
  await using own = await RedisServer.start();
  const { store, down, up, said } = await patient({ url: own.url });
  await done(store.commit("t", { append: [record()] }));
  await own.command("REPLICAOF", "127.0.0.1", String(server.port));
  await assert.rejects(store.commit("t", { append: [record()] }), {
    name: "StoreError",
    message: /READONLY/,
  });
  await down();
  assert.match(said.at(-1)?.message ?? "", /^cannot reach the store redis:.*: READONLY/);
  await own.command("REPLICAOF", "NO", "ONE");
  await up();
  await done(store.commit("other", { append: [record()] }));
  await store.close();
});

test("scripts that Redis has forgotten are sent again", async () => {
  const store = await openStoreIn({ url: server.url });
  await done(store.commit("t", { append: [record()] }));
  await server.command("SCRIPT", "FLUSH");
  const results = await Promise.all(
    Array.from({ length: 20 }, () => done(store.commit("t", { append: [record()] }))),
  );
  assert.deepEqual(
    results.map(({ firstSeq }) => firstSeq).toSorted((a, b) => a - b),
    Array.from({ length: 20 }, (_, index) => index + 2),
  );
  await store.close();
});

test("every key begins with the namespace, others stay as they are, and nothing is looked for or flushed", async () => {
  await using own = await RedisServer.start();
  await own.command("SET", "shop:{t}:head", "foreign");
  await own.command("HSET", "other", "a", "1");
  const { namespace } = storeConfig({ url: "" });
  await own.command("CONFIG", "RESETSTAT");
  const store = await openStoreIn({ url: own.url }, { namespace });
  await done(
    store.commit("t", {
      append: [record("execution_1")],
      put: [
        { key: "open/execution_1", value: { definition: "d" } },
        { key: "goes", value: 1, expiresAtMs: 1 },
      ],
    }),
  );
  await done(store.commit("t", { put: [{ key: "k", value: 1 }] }));
  await done(store.commit("t", { remove: ["k"] }));
  const [claim] = await store.claim({ limit: 1 });
  assert.ok(claim);
  await store.renew([claim]);
  await store.release([claim]);
  await store.scan("t", { prefix: "", limit: 10 });
  await store.expired(10);
  await store.close();
  const stats = String(await own.command("INFO", "commandstats"));
  assert.doesNotMatch(stats, /cmdstat_(keys|scan|flush\w*|randomkey)\b/);
  const keys = (await own.command("KEYS", "*")) as string[];
  assert.deepEqual(keys.filter((key) => !key.startsWith(`${namespace}:`)).toSorted(), [
    "other",
    "shop:{t}:head",
  ]);
  const ofTenants = keys.filter(
    (key) =>
      key.startsWith(`${namespace}:`) && key !== `${namespace}:tenants` && key !== `${namespace}:version`,
  );
  assert.deepEqual(
    ofTenants.filter((key) => !key.startsWith(`${namespace}:{t}:`)),
    [],
  );
  assert.ok(ofTenants.length >= 8, ofTenants.join(" "));
  assert.equal(await own.command("GET", "shop:{t}:head"), "foreign");
});

describe("users", () => {
  test("a wrong password is refused at once, and told without it", async () => {
    const url = server.url.replace("//", "//default:hunter2@");
    await server.command("ACL", "SETUSER", "someone", "on", ">right", "~*", "+@all");
    for (const place of [url.replace("default", "someone"), url.replace("default", "nobody")])
      await assert.rejects(openStoreIn({ url: place }, { onTrouble() {} }), {
        name: "StoreError",
        message: new RegExp(`^cannot use the store ${server.url}: WRONGPASS `),
      });
  });

  test("one that may touch only our keys and run only what is needed is enough", async () => {
    const { namespace } = storeConfig({ url: "" });
    const commands =
      "+eval +evalsha +@read +@write +time +publish +subscribe +unsubscribe +ping +hello +wait -@dangerous +config|get +role";
    const rules = `on >p@ss ~${namespace}:* &${namespace}:* ${commands}`;
    await server.command("ACL", "SETUSER", "least", ...rules.split(" "));
    const url = server.url.replace("//", "//least:p%40ss@");
    const store = await openStoreIn({ url }, { namespace });
    const heard = Promise.withResolvers<void>();
    store.watch("t", heard.resolve);
    const put = [{ key: "open/execution_1", value: { definition: "d" } }];
    await done(store.commit("t", { append: [record("execution_1")], put }));
    await heard.promise;
    const [owner] = await store.claim({ limit: 1 });
    assert.ok(owner);
    await done(store.commit("t", { owner, append: [record("execution_1")], remove: ["open/execution_1"] }));
    assert.equal((await store.log("t", { after: 0, limit: 9, execution: "execution_1" })).length, 2);
    assert.deepEqual(await store.tenants(), [{ tenant: "t", lastSeq: 2 }]);
    await store.close();
  });
});

test("one that cannot be reached is refused, or waited for where there is somebody to tell", async () => {
  await using own = await RedisServer.start();
  await own.stop();
  await assert.rejects(openStoreIn({ url: own.url }), {
    name: "StoreError",
    message: new RegExp(`^cannot use the store ${own.url}: `),
  });
  const { store, said, up } = await patient({ url: own.url });
  assert.match(said[0]?.message ?? "", new RegExp(`^cannot reach the store ${own.url}: `));
  await assert.rejects(store.commit("t", { append: [record()] }), said[0]);
  await assert.rejects(store.tenants(), { name: "StoreError" });
  await own.start();
  await up();
  await done(store.commit("t", { append: [record()] }));
  await store.close();
});

test("one that is refused only once it can be reached is told of as lost", async () => {
  await using own = await RedisServer.start({ settings: ["--appendfsync", "everysec"] });
  await own.stop();
  const lost = Promise.withResolvers<Error>();
  const { store } = await patient({ url: own.url }, { onLost: lost.resolve });
  await own.start();
  assert.match((await lost.promise).message, /its `appendfsync` is `everysec`, not `always`; set it/);
  await assert.rejects(store.commit("t", { append: [record()] }), await lost.promise);
  await store.close();
});

describe("replicas", () => {
  test("a write counts once as many have it as are asked for, and not before", async () => {
    await using primary = await RedisServer.start();
    const store = await openStoreIn({ url: primary.url }, { replicas: 1 });
    await assert.rejects(store.commit("t", { append: [record()] }), {
      name: "StoreError",
      message: /: 0 of its replicas have it, and 1 are asked for$/,
    });
    await using replica = await RedisServer.start({
      settings: ["--replicaof", "127.0.0.1", String(primary.port), "--repl-diskless-sync-delay", "0"],
    });
    while (!String(await replica.command("INFO", "replication")).includes("master_link_status:up"));
    await Promise.all(Array.from({ length: 20 }, () => done(store.commit("t", { append: [record()] }))));
    await done(store.commit("t", { append: [record("execution_1", "replicated")] }));
    const has = (await replica.command("KEYS", "*:log")) as string[];
    assert.match(JSON.stringify(await replica.command("XRANGE", has[0] ?? "", "-", "+")), /replicated/);
    await store.close();
  });
});

test("over TLS, by a certificate that is trusted, and never by another", { timeout: 30_000 }, async () => {
  using folder = storeFolder();
  const [key, certificate] = [join(folder.path, "key.pem"), join(folder.path, "certificate.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const words = [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-keyout",
    key,
    "-out",
    certificate,
  ];
  execFileSync("openssl", [...words, ...subject], { stdio: "ignore" });
  const port = await freePort();
  await using own = await RedisServer.start({
    settings: ["--tls-port", String(port), "--tls-cert-file", certificate, "--tls-key-file", key].concat(
      "--tls-ca-cert-file",
      certificate,
      "--tls-auth-clients",
      "no",
    ),
  });
  const place = `rediss://localhost:${port}/0?namespace=tls`;
  await using trusting = new Writer(place, { env: { NODE_EXTRA_CA_CERTS: certificate } });
  await trusting.until((lines) => lines.length > 0);
  assert.deepEqual(trusting.lines, ["open"]);
  await using other = new Writer(place);
  await other.ended;
  assert.match(
    other.lines[0] ?? "",
    /^error cannot use the store rediss:\/\/localhost:\d+\/0: .*self.signed/i,
  );
  assert.equal(await own.command("PING"), "PONG");
});
