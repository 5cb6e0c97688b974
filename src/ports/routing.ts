// Routes as those see them who have some, and the keys by which a proxy is told of them. What a rule may say is Traefik's grammar; who
// matches it is the core.
import type { KeyBook, KeyChange } from "../core/traefik-keys.ts";

/** As under `routes` in a config. */
export interface NewRoute {
  /** As ``Host(`shop.example`) && PathPrefix(`/api`)``. */
  rule: string;
  /** Default: the proxy's own. */
  entryPoints?: readonly string[];
  /** Of several rules that match the highest wins. Default: the length of the rule. */
  priority?: number;
  middlewares?: readonly string[];
  tls?: boolean | { certResolver?: string; options?: string };
  /** Where the service answers on this machine. Default: the port of the config, else the runtime's own. */
  port?: number;
  /** Where it answers, instead of `port`: scheme, host and port. */
  url?: string;
}

/** What a service finds as `this.runtime.routes`. */
export interface Routes {
  /**
   * Leads requests to this service, from when it is ready until it stops. Throws `UsageError` for a rule that Traefik would not
   * take, and for one that another service has.
   */
  add(route: NewRoute): void;
  /** The address of a service from outside, as far as its first rule names it: a URL, or only a path. */
  urlOf(service: string): string | undefined;
  /** The service that a GET of this URL leads to. */
  serviceOf(url: string | URL): string | undefined;
}

/** The keys in Redis that Traefik watches. */
export interface RouteKeys {
  /**
   * Carries out what `change` makes of what is there and of the time of Redis, as a whole. It is asked again when somebody else was
   * faster. Rejects when Redis cannot be asked.
   */
  exchange(change: (book: KeyBook, nowMs: number) => KeyChange): Promise<void>;
  close(): Promise<void>;
}
