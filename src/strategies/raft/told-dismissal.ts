import { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import type { NodeId } from "../../core/model/ids.ts";
import {
  type Configuration,
  nodesOf,
  readConfiguration,
  writeConfiguration,
} from "./configuration.ts";
import type { ConsensusEffects } from "./consensus-types.ts";
import type { Dismissal } from "./peer-messages.ts";

/** Under which a replica keeps that it was dismissed. */
const DISMISSAL = "raft-dismissal";
/** What may be kept under one name. Of a configuration beyond it a restart has to be told again. */
const MAX_KEPT_BYTES = 4_096;

type Told = Pick<Dismissal, "index" | "configuration">;

/**
 * Who holds the shard, as one was told whom the committed configuration does not name: its log may
 * never come to it. Kept, so that after a restart it does not take itself for one of them again:
 * by then those who could tell it may be gone.
 */
export class ToldDismissal {
  #told: Told | undefined;

  /** Where the configuration stands in the log of the shard; 0: nothing was told. */
  get index(): number {
    return this.#told?.index ?? 0;
  }

  get configuration(): Configuration | undefined {
    return this.#told?.configuration;
  }

  take({ index, configuration }: Dismissal, effects: Pick<ConsensusEffects, "keep">): void {
    this.#told = { index, configuration };
    const writer = new ByteWriter();
    writer.u64(index);
    writeConfiguration(writer, configuration);
    const kept = writer.copy();
    effects.keep(DISMISSAL, kept.length > MAX_KEPT_BYTES ? undefined : kept);
  }

  /** What an earlier life of this replica was told. */
  restore(effects: Pick<ConsensusEffects, "kept">): void {
    const kept = effects.kept(DISMISSAL);
    if (kept === undefined) return;
    const reader = new ByteReader(kept);
    const index = reader.u64();
    const configuration = readConfiguration(reader);
    reader.end();
    this.#told = { index, configuration };
  }

  /** Another group's log is another one: what was told of places in the log before says nothing of it. */
  forget(effects: Pick<ConsensusEffects, "keep">): void {
    if (this.#told === undefined) return;
    this.#told = undefined;
    effects.keep(DISMISSAL, undefined);
  }

  /** To another that was dismissed by the same configuration; undefined if it names the node. */
  passOn(node: NodeId, term: number): Dismissal | undefined {
    if (this.#told === undefined || nodesOf(this.#told.configuration).includes(node))
      return undefined;
    return { type: "dismissal", term, ...this.#told };
  }
}
