// Who listens on a port, asked about real listeners.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { findPortHolder } from "../../../src/drivers/linux/port-holder.ts";

for (const host of ["127.0.0.1", "::1"]) {
  test(`findPortHolder names the process that listens on ${host}`, async () => {
    const server = createServer().listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const holder = findPortHolder(port);
    if (process.platform === "linux") {
      assert.equal(holder?.pid, process.pid);
      assert.match(holder.command, /test/);
    } else assert.equal(holder, undefined);
    server.close();
    await once(server, "close");
    assert.equal(findPortHolder(port), undefined);
  });
}
