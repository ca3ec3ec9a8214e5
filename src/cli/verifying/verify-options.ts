export interface VerifyOptions {
  readonly config: string;
  readonly keyspace?: string;
  readonly seeds: number;
  /** The first of them. */
  readonly seed: number;
  readonly workload: "register" | "counter";
  /** Path of the page to write. */
  readonly report?: string;
  readonly json?: boolean;
}
