// What the connection to Redis makes of the package it is made with, where that has edges.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dialServer } from "../../src/drivers/redis/dial.ts";
import { sharedRedis } from "./server.ts";

test("a channel that is left and listened to again at once is heard", { timeout: 5_000 }, async () => {
  const { url } = await sharedRedis();
  const connection = await dialServer(url)();
  const heard = Promise.withResolvers<string>();
  await connection.subscribe("left", () => {});
  const left = connection.unsubscribe("left");
  await connection.subscribe("left", heard.resolve);
  await left;
  const published = await connection.send(["PUBLISH", "left", "again"]);
  assert.deepEqual(published, { type: "reply", reply: 1 });
  assert.equal(await heard.promise, "again");
  connection.destroy();
});
