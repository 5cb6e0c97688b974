// What every store owes the plane, whichever driver keeps it: commits that land whole or not at all, one version after the other,
// sequence numbers without gaps, nothing expired in sight, and one owner for each execution. It knows no process and no file.
import { describe } from "node:test";
import { commitContract, versionContract } from "./store-commits.ts";
import { casContract } from "./store-history.ts";
import { modelContract } from "./store-model.ts";
import { ownerContract } from "./store-owners.ts";
import { expiryContract, readContract, tenantContract } from "./store-reading.ts";
import { trimContract } from "./store-trim.ts";
import type { MakeStore } from "./store-tools.ts";

export function storeContract(name: string, make: MakeStore): void {
  describe(`${name}: commits`, () => commitContract(make));
  describe(`${name}: versions`, () => versionContract(make));
  describe(`${name}: expiry`, () => expiryContract(make));
  describe(`${name}: reading`, () => readContract(make));
  describe(`${name}: tenants`, () => tenantContract(make));
  describe(`${name}: owners`, () => ownerContract(make));
  describe(`${name}: trimming`, () => trimContract(make));
  describe(`${name}: histories`, () => casContract(make));
  describe(`${name}: a model`, () => modelContract(make));
}
