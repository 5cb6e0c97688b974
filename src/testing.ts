// For tests of services: `import { testClock, testRuntime } from "haraka-runtime/testing"`. Re-exports only.
export {
  type TestClock,
  testClock,
  type TestRuntime,
  testRuntime,
  type TestRuntimeOptions,
} from "./compose/testing.ts";
