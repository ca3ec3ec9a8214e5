import type { OpenedState } from "../contracts/machine.ts";
import type { LogReadResult, Storage } from "../contracts/storage.ts";
import { type LogSequence, NO_SEQUENCE } from "../model/ids.ts";
import { appliedSequenceOf } from "./applied-sequence.ts";
import type { MachineCell } from "./machine-cell.ts";
import type { MachineRunner } from "./machine-runner.ts";

const REPLAY_CHUNK_BYTES = 256 * 1024;

export interface ReplicaOpening {
  readonly cell: MachineCell;
  readonly origin: OpenedState["origin"];
  readonly storage: Storage;
  readonly runner: MachineRunner;
  /** The shard's log cannot be read back. It is not opened; whoever hears this opens it again. */
  readonly logDamaged: (reason: string) => void;
}

/**
 * Tells a replica what it starts from, feeds it the log above its state, then opens it to
 * messages.
 *
 * @throws StateDamageError if the state does not say how far it is.
 */
export function openReplica(opening: ReplicaOpening): void {
  const { cell, origin, storage, runner, logDamaged } = opening;
  const { log } = storage;
  const isPersistent = storage.state.capabilities.persistent;
  const isLater = cell.replica?.appliesLater === true;
  if (isLater) runner.reconcile(cell);
  const applied = appliedOf(cell, storage);
  const last = log.lastSequence(cell.shardId);
  const turn = ++cell.openings;
  if (last < applied && isPersistent) {
    // What is known to lack its tail may lack it in the log alone; else nobody can say what is gone.
    if (origin !== "empty") {
      logDamaged(`the log ends at record ${last}, and the state includes ${applied}`);
      return;
    }
    runner.resetLog(cell);
  }
  cell.lastSequence = (last > applied ? last : applied) as LogSequence;
  if (isLater) cell.appliedTo = applied;
  else cell.replayedTo = last > applied ? applied : undefined;
  if (last <= applied) {
    announce(opening, applied);
    if (cell.openings === turn) cell.open = true;
    return;
  }
  let announced = false;
  const from = (sequence: LogSequence) =>
    log.read(cell.shardId, sequence, REPLAY_CHUNK_BYTES, (result) => next(result, sequence));
  const giveUpLog = () => {
    runner.resetLog(cell);
    announce(opening, applied);
    if (cell.openings === turn) cell.open = true;
  };
  const next = (result: LogReadResult, asked: LogSequence) => {
    // A log that closes answers what it was asked for before, and takes no further question.
    if (cell.openings !== turn || runner.isStopped) return;
    if (result.type === "damaged") {
      logDamaged(result.error.message);
      return;
    }
    if (result.type === "compacted") {
      // To be rebuilt anyway: what is left of its log is a base like the rest, but for a machine to
      // which a log with a hole says nothing.
      if (origin === "empty" && isLater) giveUpLog();
      else if (origin === "empty" && result.first > asked) from(result.first);
      else logDamaged(`the log lacks the records ${asked} to ${result.first - 1}`);
      return;
    }
    if (!announced) announce(opening, applied);
    announced = true;
    const read = result.records.at(-1)?.sequence;
    if (read !== undefined) {
      if (!isLater) cell.replayedTo = read;
      runner.run(cell, { type: "replay", records: result.records });
    }
    if (cell.openings !== turn) return;
    if (!result.end && read !== undefined) return from((read + 1) as LogSequence);
    cell.replayedTo = undefined;
    cell.open = true;
  };
  from((applied + 1) as LogSequence);
}

/**
 * A state that does not persist has no mark: a machine that is made anew finds in it whatever it has
 * appended, and a store that was just opened finds nothing. One that applies later, and is made
 * anew, sees its steps that wait for the log too, which no mark says yet.
 */
function appliedOf(cell: MachineCell, storage: Storage): LogSequence {
  const isPersistent = storage.state.capabilities.persistent;
  if (cell.replica?.appliesLater === true) {
    if (cell.appliedTo !== undefined) return cell.appliedTo;
    return isPersistent ? appliedSequenceOf(storage, cell.shardId) : NO_SEQUENCE;
  }
  return isPersistent ? appliedSequenceOf(storage, cell.shardId) : cell.lastSequence;
}

function announce({ cell, origin, runner, storage }: ReplicaOpening, applied: LogSequence): void {
  const { lastSequence } = cell;
  const isDurable = storage.log.durablePosition >= cell.lastPosition;
  if (isDurable || cell.durableSequence > lastSequence) cell.durableSequence = lastSequence;
  const { durableSequence } = cell;
  const state: OpenedState = { origin, lastSequence, appliedSequence: applied, durableSequence };
  runner.run(cell, { type: "opened", state });
}
