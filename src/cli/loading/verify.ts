import type { Environment } from "../../core/contracts/environment.ts";
import type { GetResult } from "../../core/store/api.ts";
import { type Expected, fingerprintOf } from "./loader.ts";
import { withRetries } from "./retry.ts";

export interface VerifyOptions {
  readonly read: (key: string) => Promise<GetResult<unknown>>;
  readonly concurrency: number;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly onKey: () => void;
}

export interface Difference {
  readonly key: string;
  readonly line: number;
  readonly found: "nothing" | "another value" | "several values";
}

export interface Verification {
  readonly verified: number;
  readonly different: number;
  /** The first few of them. */
  readonly differences: readonly Difference[];
}

const REMEMBERED_DIFFERENCES = 10;

/** Reads every key that was written, and compares it with the value of its last line. */
export async function verify(
  expected: ReadonlyMap<string, Expected>,
  options: VerifyOptions,
): Promise<Verification> {
  const { environment, signal } = options;
  const entries = expected.entries();
  const differences: Difference[] = [];
  let verified = 0;
  let different = 0;
  const work = async (): Promise<void> => {
    for (const [key, { line, fingerprint }] of entries) {
      if (signal.aborted) return;
      const result = await withRetries(environment, signal, () => options.read(key));
      const found = differenceOf(result, fingerprint);
      if (found === undefined) verified += 1;
      else {
        different += 1;
        if (differences.length < REMEMBERED_DIFFERENCES) differences.push({ key, line, found });
      }
      options.onKey();
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  return { verified, different, differences };
}

function differenceOf(
  result: GetResult<unknown>,
  fingerprint: string,
): Difference["found"] | undefined {
  if (!result.found) return "nothing";
  if (result.conflict) return "several values";
  return fingerprintOf(result.value) === fingerprint ? undefined : "another value";
}
