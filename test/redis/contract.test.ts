// The store's contract, kept in a real Redis.
import { after, before, describe } from "node:test";
import { storeContract } from "../contracts/store.ts";
import { expectationContract } from "../contracts/store-expectations.ts";
import { RedisServer } from "./server.ts";
import { redisRig } from "./store-rig.ts";

let server: RedisServer;
before(async () => {
  server = await RedisServer.start();
});
after(() => server[Symbol.asyncDispose]());

const make = () => redisRig({ url: server.url });

storeContract("redis", make);
describe("redis: what comes next", () => expectationContract(make));
