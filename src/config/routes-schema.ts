// What may stand under `routes` of a service, and about those who are told of them: a part of the schema in `schema.ts`, and built the
// same way. What takes more than one key to judge is in `routes.ts` and `traefik.ts`.
import type * as zod from "zod/mini";
import type { Kit } from "./schema-kit.ts";

export function routesOf({ z, key, preset, required, filled, texts, httpUrl, on, whole }: Kit) {
  return z.array(
    z.strictObject({
      rule: required(
        filled,
        "Which requests, in Traefik's grammar: Host(`shop.example`) && PathPrefix(`/api`). Matchers are Host, HostRegexp, Path, PathPrefix, PathRegexp, Method, Header, HeaderRegexp, Query, QueryRegexp, ClientIP.",
      ),
      entryPoints: preset(texts, [], "Traefik's entry points. Empty: its default ones."),
      priority: preset(
        whole(0, 2 ** 31 - 1),
        0,
        "Of several rules that match the highest wins. 0: the length of the rule.",
      ),
      middlewares: preset(texts, [], "Names of Traefik's middlewares, as `auth@file`, in order."),
      tls: key(
        z.union([
          on,
          z.strictObject({
            certResolver: key(filled, "Who gets the certificate."),
            options: key(filled, "Named options of TLS."),
          }),
        ]),
        "`true`: only requests by TLS. A map says how.",
      ),
      port: key(
        whole(1, 65_535),
        "Where the service answers, on this machine's address. Default: the `port` of the service; else, of a module, `http.port`, and of a process where its `readiness`, `startup` or `liveness` probe asks it.",
      ),
      url: key(httpUrl, "Where the service answers, instead of `port`, as Traefik reaches it."),
    }),
  );
}

export function traefikOf({ z, key, preset, filled, literal }: Kit) {
  return z.strictObject({
    token: preset(
      literal,
      "",
      "Who has it as `Authorization: Bearer TOKEN` may ask `/traefik` from elsewhere. Empty: only this machine.",
    ),
    redis: key(
      z.strictObject({
        rootKey: preset(filled, "traefik", "What the keys begin with, as in Traefik's Redis provider."),
        url: key(
          filled,
          "Where it is, as `redis://127.0.0.1:6379/0`. Default: the store's `url` or `sentinel`.",
        ),
      }),
      "Write the routes into Redis, for Traefik's Redis provider.",
    ),
  });
}

export type RawRoute = zod.output<ReturnType<typeof routesOf>>[number];
export type RawTraefik = zod.output<ReturnType<typeof traefikOf>>;
