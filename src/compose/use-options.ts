// What code may say of a service that it uses, and what it cannot be. It uses nothing itself.
import type { Condition, RestartConfig } from "../config/config.ts";
import {
  BOOLEAN,
  checkOptions,
  COUNT,
  isObject,
  LIST,
  MILLISECONDS,
  NUMBER,
  OBJECT,
  oneOf,
  PORT,
  type Rules,
  TENANT,
  TEXT,
} from "./option-rules.ts";

export type UsedDependency =
  string | { service: string; condition?: Condition; required?: boolean; restart?: boolean };

/** As in a config; what is left out, of its parts too, is as there. */
export type UsedRestart = Partial<Omit<RestartConfig, "backoff" | "limit">> & {
  backoff?: Partial<RestartConfig["backoff"]>;
  limit?: Partial<RestartConfig["limit"]>;
};

export interface UseOptions {
  /** Higher starts earlier among what dependencies leave free. Default: 0. */
  priority?: number;
  /** Names of services, or names with a condition. Default: none; a bare name means `ready`, for a task `completed`. */
  dependencies?: readonly UsedDependency[];
  /** Whether its failure ends the runtime. Default: true. */
  critical?: boolean;
  /** Done when `startup()` resolves. Default: false. */
  task?: boolean;
  /**
   * Whether, and when, it is started again after it has failed: `startup` is then called again on the same instance. Default:
   * never; what is left out is as in a config.
   */
  restart?: UsedRestart;
  /** Milliseconds. Default: 30,000. */
  startTimeoutMs?: number;
  /** Milliseconds. Default: 5,000. */
  stopTimeoutMs?: number;
  /** Whom it acts for in the plane. Default: `"default"`. */
  tenant?: string;
  /** Where it listens by itself: with a plane others find it there. Default: nowhere. */
  port?: number;
}

const USE: Rules<UseOptions> = {
  priority: NUMBER,
  dependencies: LIST,
  critical: BOOLEAN,
  task: BOOLEAN,
  restart: OBJECT,
  startTimeoutMs: MILLISECONDS,
  stopTimeoutMs: MILLISECONDS,
  tenant: TENANT,
  port: PORT,
};

const DEPENDENCY: Rules<Exclude<UsedDependency, string>> = {
  service: TEXT,
  condition: oneOf("started", "ready", "completed"),
  required: BOOLEAN,
  restart: BOOLEAN,
};

const RESTART: Rules<UsedRestart> = {
  policy: oneOf("never", "on-failure", "always"),
  backoff: OBJECT,
  limit: OBJECT,
  resetAfterMs: MILLISECONDS,
};

const BACKOFF: Rules<NonNullable<UsedRestart["backoff"]>> = { minMs: MILLISECONDS, maxMs: MILLISECONDS };
const LIMIT: Rules<NonNullable<UsedRestart["limit"]>> = { count: COUNT, windowMs: MILLISECONDS };

/** Throws `UsageError` for an option, or a part of one, that is not known or cannot be. */
export function checkUse(name: string, options: UseOptions): void {
  const cannot = `cannot use '${name}'`;
  checkOptions(options, { cannot, rules: USE });
  const { restart = {}, dependencies = [] } = options;
  checkOptions(restart, { cannot, path: "restart.", rules: RESTART });
  const { backoff = {}, limit = {} } = restart;
  checkOptions(backoff, { cannot, path: "restart.backoff.", rules: BACKOFF });
  checkOptions(limit, { cannot, path: "restart.limit.", rules: LIMIT });
  for (const [index, dependency] of dependencies.entries()) {
    const entry = isObject(dependency) ? dependency : { service: dependency };
    checkOptions(entry, { cannot, path: `dependencies[${index}].`, rules: DEPENDENCY });
  }
}
