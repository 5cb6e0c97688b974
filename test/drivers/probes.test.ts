// What is particular to each probe, beyond the contract of all.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { httpProbe } from "../../src/drivers/http-probe.ts";
import { logProbe } from "../../src/drivers/log-probe.ts";
import { tcpProbe } from "../../src/drivers/tcp-probe.ts";

const never = new AbortController().signal;

async function serve(handler: RequestListener) {
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url, [Symbol.dispose]: close };
}

test("httpProbe passes from 200 to 399 and follows no redirect", async () => {
  let status = 0;
  let requests = 0;
  using it = await serve((_request, response) => {
    requests++;
    response.writeHead(status, { location: "/elsewhere" }).end();
  });
  for (status of [200, 204, 302, 399]) assert.deepEqual(await httpProbe(it).check(never), { ok: true });
  for (status of [400, 404, 500, 503]) {
    assert.deepEqual(await httpProbe(it).check(never), { ok: false, reason: `${it.url} answered ${status}` });
  }
  assert.equal(requests, 8);
});

test("httpProbe closes its connection, though the server would keep it", async () => {
  const server = createTcpServer((socket) => {
    socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const probe = httpProbe({ url: `http://127.0.0.1:${port}/` });
  for (let check = 0; check < 3; check++) assert.deepEqual(await probe.check(never), { ok: true });
  const closed = once(server, "close");
  server.close();
  await closed;
});

test("httpProbe gives up when it is aborted", async () => {
  using it = await serve(() => giveUp.abort());
  const giveUp = new AbortController();
  assert.deepEqual(await httpProbe(it).check(giveUp.signal), {
    ok: false,
    reason: `${it.url}: no answer in time`,
  });
});

test("httpProbe does not wait behind calls that hang", async () => {
  const leave = new AbortController();
  using hanging = await serve(() => {});
  using it = await serve((_request, response) => response.end());
  const calls = Array.from({ length: 300 }, () => fetch(hanging.url, leave).catch(() => {}));
  assert.deepEqual(await httpProbe(it).check(AbortSignal.timeout(5_000)), { ok: true });
  leave.abort();
  await Promise.all(calls);
});

test("httpProbe does not go through a proxy", async () => {
  using it = await serve((_request, response) => response.end());
  const before = process.env["HTTP_PROXY"];
  process.env["HTTP_PROXY"] = "http://127.0.0.1:9";
  try {
    assert.deepEqual(await httpProbe(it).check(never), { ok: true });
  } finally {
    if (before === undefined) delete process.env["HTTP_PROXY"];
    else process.env["HTTP_PROXY"] = before;
  }
});

test("tcpProbe closes what it opened, and asks IPv6 too", async () => {
  const server = createTcpServer().listen(0, "::1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  assert.deepEqual(await tcpProbe({ host: "::1", port }).check(never), { ok: true });
  const closed = once(server, "close");
  server.close();
  await closed;
});

test("tcpProbe fails on a name that does not resolve", async () => {
  const result = await tcpProbe({ host: "no-such-host.invalid", port: 1 }).check(never);
  assert.ok(!result.ok);
  assert.match(result.reason, /^no-such-host\.invalid:1: /);
});

test("logProbe resolves a pending check the moment the line comes, and latches", async () => {
  const probe = logProbe({ text: "ready to accept" });
  const pending = probe.check(never);
  probe.observe("starting");
  probe.observe("LOG: ready to accept connections");
  probe.observe("something else");
  assert.deepEqual(await pending, { ok: true });
  assert.deepEqual(await probe.check(never), { ok: true });
});

test("logProbe takes a pattern", async () => {
  const probe = logProbe({ pattern: "port \\d+$" });
  const pending = probe.check(never);
  const aborted = new AbortController();
  probe.observe("port x");
  const notYet = probe.check(aborted.signal);
  aborted.abort();
  assert.deepEqual(await notYet, { ok: false, reason: 'no line with "port \\\\d+$" yet' });
  probe.observe("listening on port 80");
  assert.deepEqual(await pending, { ok: true });
});

test("logProbe starts afresh after reset", async () => {
  const probe = logProbe({ text: "up" });
  probe.observe("up");
  probe.reset();
  assert.equal((await probe.check(AbortSignal.abort())).ok, false);
  const pending = probe.check(never);
  probe.observe("up");
  assert.deepEqual(await pending, { ok: true });
});
