// The address at which others are told to reach this machine, where the config does not say.
import process from "node:process";
import type { HttpConfig } from "../config/config.ts";
import { isEverywhere } from "../config/dialable.ts";

export interface AdvertisedOptions {
  /** `discovery.advertise`. */
  advertise?: string | undefined;
  http: HttpConfig | false;
  /** Others are on other machines. */
  shared: boolean;
  env: Readonly<Record<string, string | undefined>>;
}

export function advertisedAddress({ advertise, http, shared, env }: AdvertisedOptions): string {
  if (advertise !== undefined) return advertise;
  if (http && !isEverywhere(http.host)) return http.host;
  return shared ? env["POD_IP"] || ownAddress() : "127.0.0.1";
}

/** The first that is not loopback, or the machine's name. */
function ownAddress(): string {
  const { hostname, networkInterfaces } = process.getBuiltinModule("node:os");
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outer = all.filter(({ internal }) => !internal);
  const found = outer.find(({ family }) => family === "IPv4") ?? outer.find(isGlobal);
  return found?.address ?? hostname();
}

/** One that means something beyond its link. */
const isGlobal = ({ address }: { address: string }): boolean => !/^fe80:/i.test(address);
