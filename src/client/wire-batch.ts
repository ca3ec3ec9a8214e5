import { z } from "zod";
import { CapstanError } from "../core/model/errors.ts";
import type { BatchResult } from "../core/store/api.ts";
import { faultFromProblem } from "./problem.ts";
import { check, toWritten } from "./wire.ts";

/** One write of a batch as it is sent: its value in its canonical encoding. */
export interface EncodedWrite {
  readonly put?: string;
  readonly value?: Uint8Array;
  readonly delete?: string;
  readonly operation_id?: string;
}

/** Not strict: a newer server may say more. */
const batchAnswer = z.object({
  results: z.array(z.looseObject({ ok: z.boolean(), problem: z.unknown().optional() })),
});

/**
 * @param seen what results say of their session.
 * @throws CapstanError `INTERNAL` for a body that does not answer these writes.
 */
export function toBatchResult(
  body: unknown,
  writes: readonly EncodedWrite[],
  seen: { readonly session?: string },
): BatchResult {
  const { results } = check(batchAnswer, body);
  if (results.length !== writes.length) {
    throw notUnderstood(`${results.length} results for ${writes.length} writes`);
  }
  return writes.map((write, index) => {
    const key = keyOfEncoded(write);
    const answer = results[index];
    if (answer?.ok === true) return { key, ok: true, result: { ...toWritten(answer), ...seen } };
    const error = faultFromProblem(answer?.problem, write.operation_id);
    if (error === undefined) throw notUnderstood(`results[${index}] is neither done nor refused`);
    return { key, ok: false, error };
  });
}

export function keyOfEncoded(write: EncodedWrite): string {
  return write.put ?? write.delete ?? "";
}

function notUnderstood(why: string): CapstanError {
  return new CapstanError("INTERNAL", `the server's answer is not understood: ${why}`);
}
