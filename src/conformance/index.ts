export type { ConformanceCase, ConformanceSuite } from "./suite.ts";
export { ConformanceFailure } from "./suite.ts";
export {
  type TransportConformanceOptions,
  type TransportTestbed,
  transportConformance,
} from "./transport.ts";
