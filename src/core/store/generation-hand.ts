import type { Generation, StateMutation, Storage } from "../contracts/storage.ts";
import { SPACES } from "../contracts/storage.ts";
import type { MachineCell } from "./machine-cell.ts";
import type { RecordTable } from "./machine-records.ts";

/** In a step's mutations: the generation that is being built, whatever its number. */
export const NEXT_GENERATION: Generation = -1;

const INSTALL = "install";

/** What a step does with generations; see `StepEffects`. */
interface GenerationStep {
  readonly mutations: readonly StateMutation[];
  /** Any of the following, or a mutation of the generation that is being built. */
  readonly touchesGenerations: boolean;
  readonly beginsGeneration: boolean;
  readonly dropsGeneration: boolean;
  readonly switchesGeneration: boolean;
  readonly resetsLog: boolean;
}

/**
 * Generations that machines build beside their state, and what a crash leaves of a switch to one.
 *
 * A switch is one commit of the state; where it goes with a reset of the log, the log comes first,
 * as with every commit. So the state is the truth: of a switch that it does not have, the log may
 * have the reset, or records behind it, which have no state below them. Argument, for one switch to
 * generation G with `applied(n)` and `resetLog(n + 1)`:
 *
 * - a record of the node's own that names G stands in the log before the reset, and goes when the
 *   switch is durable in the state;
 * - a start that finds it, and G current, has the switch, and a log that was reset before: nothing
 *   is to be done;
 * - a start that finds it, and G not current, has the old generation as it was. Whatever the log
 *   has is given up, to go on behind what that generation has applied. Nobody was told of anything
 *   that is lost so: the machine was fed nothing, and its words waited, until the switch was
 *   durable. What it had acknowledged before the switch it has given up itself, with `resetLog`;
 * - a start that does not find it is before the reset, or after the switch.
 */
export class GenerationHand {
  readonly #storage: Storage;
  readonly #table: RecordTable;

  constructor(storage: Storage, table: RecordTable) {
    this.#storage = storage;
    this.#table = table;
  }

  /** The step's mutations, each with the generation that it goes to. Before the step's log works. */
  direct(cell: MachineCell, step: GenerationStep): readonly StateMutation[] {
    const { beginsGeneration, dropsGeneration, switchesGeneration, mutations } = step;
    if (!step.touchesGenerations) return mutations;
    const cleared = beginsGeneration || dropsGeneration ? this.#clear(cell) : [];
    if (beginsGeneration) {
      cell.buildingGeneration = this.#storage.state.newGeneration(cell.shardId);
    }
    const generation = cell.buildingGeneration;
    if (generation === undefined) return [...cleared, ...mutations];
    if (switchesGeneration) {
      cell.buildingGeneration = undefined;
      cell.strayGeneration = undefined;
      if (step.resetsLog) this.#table.put(nameOf(cell), Buffer.from(String(generation), "utf8"));
    }
    const directed = mutations.map((mutation) =>
      mutation.type !== "delete-range" && mutation.generation === NEXT_GENERATION
        ? { ...mutation, generation }
        : mutation,
    );
    return [...cleared, ...directed];
  }

  /** Whether the log may have been reset for a switch that the state does not have. */
  isCutShort(cell: MachineCell): boolean {
    const noted = this.#table.get(nameOf(cell));
    if (noted === undefined) return false;
    const current = this.#storage.state.shards().find(({ shard }) => shard === cell.shardId);
    return Number(Buffer.from(noted).toString("utf8")) !== current?.generation;
  }

  /** The switch is durable, or was undone. */
  installed(cell: MachineCell): void {
    const position = this.#table.delete(nameOf(cell));
    if (position > cell.lastPosition) cell.lastPosition = position;
  }

  #clear(cell: MachineCell): StateMutation[] {
    const { shardId: shard, buildingGeneration, strayGeneration } = cell;
    cell.buildingGeneration = undefined;
    cell.strayGeneration = undefined;
    return [buildingGeneration, strayGeneration]
      .filter((generation) => generation !== undefined)
      .flatMap((generation) =>
        SPACES.map((space): StateMutation => {
          return { type: "delete-range", shard, space, from: undefined, to: undefined, generation };
        }),
      );
  }
}

function nameOf(cell: MachineCell): string {
  return `${INSTALL}/${cell.shardId}`;
}
