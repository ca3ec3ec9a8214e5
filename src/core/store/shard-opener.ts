import type { OpenedState } from "../contracts/machine.ts";
import type { LogReadResult, Storage } from "../contracts/storage.ts";
import type { LogSequence } from "../model/ids.ts";
import type { MachineCell } from "./machine-cell.ts";
import { appliedSequenceOf, type MachineRunner } from "./machine-runner.ts";

const REPLAY_CHUNK_BYTES = 256 * 1024;

/**
 * Tells a replica what it starts from, feeds it the log above its state, then opens it to
 * messages. A shard whose log cannot be read back is not trusted: it starts as `empty`, to be
 * rebuilt from its peers.
 */
export function openReplica(
  cell: MachineCell,
  origin: OpenedState["origin"],
  storage: Storage,
  runner: MachineRunner,
  damaged: (reason: string) => void,
): void {
  // A state that does not persist has no mark; a machine that is made anew finds in it whatever it
  // has appended, and a store that was just opened finds nothing.
  const applied = storage.state.capabilities.persistent
    ? appliedSequenceOf(storage, cell.shardId)
    : cell.lastSequence;
  const last = storage.log.lastSequence(cell.shardId);
  cell.lastSequence = (last > applied ? last : applied) as LogSequence;
  if (last <= applied) {
    announce(cell, origin, runner);
    cell.open = true;
    return;
  }
  let announced = false;
  const from = (sequence: LogSequence) =>
    storage.log.read(cell.shardId, sequence, REPLAY_CHUNK_BYTES, (result) => next(result));
  const next = (result: LogReadResult) => {
    if (result.type !== "records") {
      damaged(result.type);
      announce(cell, "empty", runner);
      cell.open = true;
      return;
    }
    if (!announced) announce(cell, origin, runner);
    announced = true;
    if (result.records.length > 0) {
      runner.run(cell, { type: "replay", records: result.records });
    }
    const read = result.records.at(-1)?.sequence;
    if (result.end || read === undefined) cell.open = true;
    else from((read + 1) as LogSequence);
  };
  from((applied + 1) as LogSequence);
}

function announce(cell: MachineCell, origin: OpenedState["origin"], runner: MachineRunner): void {
  runner.run(cell, { type: "opened", state: { origin, lastSequence: cell.lastSequence } });
}
