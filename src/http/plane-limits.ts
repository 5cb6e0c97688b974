// How large what asks the plane may be. Numbers only; who keeps to them is plane-body.ts and plane-input.ts.

export interface PlaneLimits {
  /** Of a body, in bytes. */
  bodyBytesMax: number;
  /** Of a key, a namespace and every other name, in bytes of UTF-8. */
  keyBytesMax: number;
  /** Of one page of a list, in items. */
  pageMax: number;
}

/** What `plane.limits` is unless the config says otherwise. */
export const PLANE_LIMITS: PlaneLimits = { bodyBytesMax: 1024 * 1024, keyBytesMax: 512, pageMax: 1000 };

/** Of JSON: how deep lists and maps may lie in each other. */
export const NESTING_MAX = 64;
