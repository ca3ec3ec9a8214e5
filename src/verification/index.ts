/**
 * `capstan/verification`: histories of what clients did and were answered, and the checkers that
 * judge them. Every checker is a pure function.
 */
export {
  checkLinearizable,
  type LinearizabilityOptions,
  type LinearizabilityResult,
  type Verdict,
} from "./check-linearizable.ts";
export {
  type ConvergenceResult,
  checkConvergence,
  type Divergence,
  type KeyCopy,
  type ReplicaCopies,
} from "./convergence.ts";
export { describeClient, describeOperation, describeValue } from "./describe-operation.ts";
export {
  checkFalseDominance,
  checkFalseSiblings,
  descends,
  type FalseSiblings,
  type GhostDrop,
  type GhostResult,
  type GhostSiblings,
  type GhostVersion,
} from "./ghosts.ts";
export {
  formatHistory,
  HISTORY_FORMAT,
  HISTORY_VERSION,
  historyLines,
} from "./history-format.ts";
export { HistoryReader, parseHistory } from "./history-reader.ts";
export {
  type AnswerNotes,
  type Call,
  HistoryRecorder,
  type HistoryRecorderOptions,
  type OpenCall,
} from "./history-recorder.ts";
export {
  type AcknowledgedWrite,
  checkLostWrites,
  type LostWrite,
  type LostWritesFacts,
  type LostWritesResult,
  type WipedCopy,
} from "./lost-writes.ts";
export {
  atLevel,
  type HistoryOperation,
  type KeyValueBatch,
  type KeyValueDelete,
  type KeyValueGet,
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
  type KeyValuePut,
  type KeyValueWrite,
  keysOf,
  OPEN_ENDED,
  type RegisterValue,
  SUPERSEDED,
  type WriteCondition,
  writesOf,
} from "./operation.ts";
export {
  type RecordableKeyspace,
  type RecordedTypes,
  type RecordKeyspaceOptions,
  recordKeyspace,
} from "./record-keyspace.ts";
export { batchRegisterModel, type RegisterValues, registerModel } from "./register-model.ts";
export {
  checkRegularRegister,
  type RegularResult,
  type RegularViolation,
} from "./regular-register.ts";
export type { SequentialModel } from "./sequential-model.ts";
export {
  checkMonotonicReads,
  checkMonotonicWrites,
  checkReadYourWrites,
  checkWritesFollowReads,
  type SessionGuarantee,
  type SessionOptions,
  type SessionResult,
  type SessionViolation,
} from "./sessions.ts";
export type { Counterexample } from "./shrink.ts";
export { renderTimeline, type TimelineOptions } from "./timeline.ts";
export { stampOrder, type VersionOrder } from "./version-order.ts";
