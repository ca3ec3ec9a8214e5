export {
  type HistoryOperation,
  HistoryRecorder,
  type Invocation,
  OPEN_ENDED,
  partitionByKey,
} from "./history.ts";
export {
  type CheckOptions,
  checkLinearizable,
  checkLinearizablePerKey,
  type Judgement,
  type SequentialModel,
  type Verdict,
} from "./linearizability.ts";
export { type AcknowledgedWrite, findLostWrites, type LostWrite } from "./lost-writes.ts";
export {
  type RegisterInput,
  type RegisterOperation,
  type RegisterOutput,
  type RegisterValue,
  registerModel,
  settleUnknowns,
} from "./register.ts";
