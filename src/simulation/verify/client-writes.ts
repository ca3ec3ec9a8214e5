import type { Level } from "../../core/model/levels.ts";
import type { Receipt } from "../../core/model/receipt.ts";
import type {
  ConditionalWritten,
  EmbeddedKeyspace,
  WriteOptions,
  Written,
} from "../../core/store/api.ts";
import type {
  HistoryRecorder,
  KeyValueInput,
  KeyValueOutput,
  OpenCall,
} from "../../verification/index.ts";
import type { ClientCalls } from "../scenario/client-calls.ts";
import type { Draw } from "../scenario/draw.ts";
import type { KeyspaceTopology } from "../scenario/topology.ts";
import { holdersOf } from "../scenario/tunable/holders.ts";
import type { SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";

const RETRY_SHARE = 0.5;
export const MAX_TRIES = 3;

/** A write that was answered as done. */
export interface Acknowledged {
  readonly key: string;
  readonly version: string;
  readonly atMs: number;
  readonly holders: readonly string[];
}

/** One write, as a client asks for it. */
export interface AskedWrite {
  readonly key: string;
  readonly level: Level;
  readonly input: KeyValueInput;
  readonly send: (
    keyspace: EmbeddedKeyspace,
    options: WriteOptions,
  ) => Promise<Written | ConditionalWritten<unknown>>;
  /** Whether a copy of it may be sent again under its id. Default true. */
  readonly takesIds?: boolean;
}

/** `lowered`: done, below the level that was asked. `refused`: its condition did not hold. */
export interface WriteEnd {
  readonly ended: "applied" | "lowered" | "refused" | "not-applied" | "unknown";
  /** Where it is done, and said so. */
  readonly version?: string;
}

/** Who asks, and whom. */
export interface Asking {
  readonly client: string;
  readonly draw: Draw;
  readonly node: SimNode;
}

export interface ClientWritesOptions {
  readonly world: SimWorld;
  readonly keyspace: KeyspaceTopology;
  readonly calls: ClientCalls;
  readonly recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>;
}

/** The writes of clients, each seen through until what can be known of its outcome is known. */
export class ClientWrites {
  readonly acknowledged: Acknowledged[] = [];
  readonly #options: ClientWritesOptions;

  constructor(options: ClientWritesOptions) {
    this.#options = options;
  }

  async write({ client, draw, node }: Asking, asked: AskedWrite): Promise<WriteEnd> {
    const { key, level, input, takesIds = true } = asked;
    const { calls, keyspace: topology, recorder } = this.#options;
    const call = recorder.call({ client, node: node.id, level, input });
    let operationId: string | undefined;
    let isUnknown = false;
    for (let tries = 1; ; tries += 1) {
      try {
        const keyspace = calls.keyspaceOf(node, topology.keyspace.name);
        const options = { consistency: level, ...(operationId && { operationId }) };
        const answer = await calls.alive(node, asked.send(keyspace, options));
        if ("ok" in answer && !answer.ok) {
          call.applied({ isDone: false }, { achieved: level });
          calls.noteOk(client, key, `refused: ${answer.reason}`);
          return { ended: "refused" };
        }
        return this.done(client, key, call, answer as Written);
      } catch (error) {
        const fault = calls.noteFault(client, key, error);
        operationId = fault.operationId;
        isUnknown ||= fault.outcome === "unknown";
        const mayRetry = takesIds && fault.outcome === "unknown" && operationId !== undefined;
        if (mayRetry && tries < MAX_TRIES && draw.chance(RETRY_SHARE)) continue;
        return { ended: endOf(call, fault.outcome === "applied", isUnknown) };
      }
    }
  }

  /** It was answered so. */
  done(
    client: string,
    key: string,
    call: OpenCall<KeyValueOutput>,
    { version, receipt }: Written,
  ): WriteEnd {
    const { world, keyspace, calls } = this.#options;
    const holders = holdersOf(world, keyspace, { key, version });
    this.acknowledged.push({ key, version, atMs: world.time.nowMs, holders });
    call.applied({ version }, { achieved: achievedOf(receipt) });
    calls.noteOk(client, key, version);
    return { ended: receipt.consistent ? "applied" : "lowered", version };
  }
}

/** Copies on nodes that stand in do not make a level. */
export function achievedOf({ achieved, asked, consistent }: Receipt): string {
  return consistent || achieved !== asked ? achieved : "stand-ins";
}

export function endOf(
  call: OpenCall<KeyValueOutput>,
  isApplied: boolean,
  isUnknown: boolean,
): "applied" | "unknown" | "not-applied" {
  const outcome = isApplied ? "applied" : isUnknown ? "unknown" : "not-applied";
  call.ended(outcome);
  return outcome;
}
