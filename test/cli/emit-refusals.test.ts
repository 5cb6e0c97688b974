// What `haraka emit` does not write: timings that do not fit, with the sum, and places that nobody can reach.
import assert from "node:assert/strict";
import { test } from "node:test";
import { folder, SHOP } from "./emit-folder.ts";

const CHAIN = `
http: { port: 8080 }
services:
  db: { command: x, stopTimeout: 4s }
  api: { command: x, dependencies: [db], stopTimeout: 3s }
  web: { command: x, dependencies: [api], stopTimeout: 2s }
  side: { command: x, stopTimeout: 4s, priority: 5 }
`;

/** A config, what is asked for, and the sum, or the place, that does not fit. */
const MISFITS: [yaml: string, words: string, problem: RegExp][] = [
  [
    CHAIN,
    "compose",
    /web 2s \+ api 3s \+ db 4s \+ side 4s \+ 1s for shutdown tasks = 14s, and the budget is 9s; set it to at least 14s/,
  ],
  [
    `${CHAIN}runtime: { shutdown: { drain: 8s, budget: 15s } }`,
    "systemd",
    /2 × drain 8s = 16s, and the budget is 15s.*\n.*drain 8s \+ web 2s .*= 22s, and the budget is 15s/,
  ],
  [
    `${SHOP}discovery: { traefik: {} }`.replace("budget: 30s", "budget: 12s"),
    "compose",
    /2 × drain 7s = 14s/,
  ],
  [
    SHOP.replace("port: 8080", "port: 8080, idleTimeout: 60s"),
    "compose",
    /idleTimeout 60s is not more than the 90s/,
  ],
  [SHOP.replace("port: 8080", "port: 8080, host: 127.0.0.1"), "kubernetes", /reached by nobody outside/],
  [SHOP.replace("port: 8080", "port: 0"), "systemd", /http\.port 0 is another one at every start/],
  [
    `${SHOP}discovery: { traefik: { redis: { url: 'redis://localhost' } } }`,
    "compose",
    /the Redis of discovery\.traefik\.redis, localhost, is inside of the container/,
  ],
  [
    `${SHOP}store: { driver: redis, sentinel: { master: main, nodes: ['redis://s', 'redis://127.0.0.1:26379'] } }`,
    "kubernetes",
    /the Redis of store, 127\.0\.0\.1:26379, is inside of the container/,
  ],
  [`${SHOP}discovery: { traefik: {} }`, "compose", /Traefik is another one: add discovery\.traefik\.token/],
  [
    `${SHOP}discovery: { traefik: { token: t } }`,
    "compose --replicas 2",
    /each of the 2 runtimes tells of itself only/,
  ],
  [
    `${SHOP}store: { driver: memory }`,
    "kubernetes --replicas 2",
    /each of the 2 runtimes would have a memory store of its own/,
  ],
  [SHOP, "compose --replicas 0", /cannot emit 0 replicas: expected a number from 1 to 1000/],
  [SHOP, "nomad", /cannot emit 'nomad': name one of compose, kubernetes, systemd, traefik/],
  ["services: { a: { command: x } }", "traefik", /there are no routes: add `routes` to a service/],
];

for (const [yaml, words, problem] of MISFITS) {
  test(`emit ${words} refuses what ${problem.source.slice(0, 50)}`, async () => {
    using shop = folder({ "runtime.yaml": yaml });
    const { code, stdout, stderr } = await shop.emit(...words.split(" "));
    assert.match(stderr, problem);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  });
}

test("a budget that is as long as the sum says is taken", async () => {
  using shop = folder({ "runtime.yaml": `${CHAIN}runtime: { shutdown: { budget: 14s } }` });
  assert.equal((await shop.emit("compose")).code, 0);
});

test("emit compose refuses what is relative to the config and not below it, where nothing is mounted from", async () => {
  using shop = folder({
    "config/runtime.yaml": `
include: [../more/service.yaml]
services:
  inside: { entrypoint: ./here/a.ts }
  image: { entrypoint: /app/in-the-image.ts }
  outside: { entrypoint: ../src/b.ts, replicas: 2 }
`,
    "more/service.yaml": "{ name: more, command: x }",
  });
  const { code, stderr } = await shop.emit("compose");
  assert.equal(code, 2);
  const strays = [...stderr.matchAll(/cannot emit compose: (\S+) is not below \S+\/config, which is all/g)];
  assert.deepEqual(
    strays.map(([, file]) => file?.slice(shop.path.length)),
    ["/more/service.yaml", "/src/b.ts"],
  );
  assert.equal((await shop.emit("systemd")).code, 0);
  assert.equal((await shop.emit("kubernetes")).code, 0);
});
