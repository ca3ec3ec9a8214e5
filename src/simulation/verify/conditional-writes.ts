import type { Level } from "../../core/model/levels.ts";
import type { ConditionalWriteOptions, EmbeddedKeyspace, GetResult } from "../../core/store/api.ts";
import type { WriteCondition } from "../../verification/index.ts";
import type { Draw } from "../scenario/draw.ts";
import type { AskedWrite, WriteEnd } from "./client-writes.ts";

const MODIFY_SHARE = 0.15;
const CONDITION_SHARE = 0.8;
const ABSENT_SHARE = 0.2;
const DELETE_SHARE = 0.15;

interface Known {
  readonly version: string;
  readonly value: unknown;
}

/** A write that may have a condition. */
export interface ConditionalWrite extends AskedWrite {
  /** Undefined: it deletes. */
  readonly value: unknown;
  /** The version that the key is to have. */
  readonly ifVersion: string | undefined;
}

/**
 * Writes that are done only where a key has what their client believes, drawn so that several
 * clients believe the same. Every value is written once, so that a version and its value name the
 * same write.
 */
export class ConditionalWrites {
  /** By key: some version that it had, which somebody has read or written. */
  readonly #known = new Map<string, Known>();

  draw(draw: Draw, key: string, value: unknown, level: Level): ConditionalWrite {
    if (draw.chance(MODIFY_SHARE)) return modifying(key, value, level);
    const known = this.#known.get(key);
    const isConditional = draw.chance(CONDITION_SHARE);
    const isOnAbsence = isConditional && (known === undefined || draw.chance(ABSENT_SHARE));
    if (isOnAbsence) return putting(key, value, level, { ifAbsent: true }, { value: undefined });
    const isDeletion = draw.chance(DELETE_SHARE);
    const write = isDeletion ? deleting : putting;
    if (known === undefined || !isConditional) return write(key, value, level, {}, undefined);
    const condition = { value: known.value };
    return write(key, value, level, { ifVersion: known.version }, condition);
  }

  noteRead(key: string, result: GetResult<unknown>): void {
    if (!result.found || result.conflict) return;
    this.#known.set(key, { version: result.version, value: result.value });
  }

  noteEnd({ key, value }: ConditionalWrite, { version }: WriteEnd): void {
    if (version !== undefined && value !== undefined) this.#known.set(key, { version, value });
  }
}

type Options = Pick<ConditionalWriteOptions, "ifVersion" | "ifAbsent">;

function putting(
  key: string,
  value: unknown,
  level: Level,
  options: Options,
  condition: WriteCondition | undefined,
): ConditionalWrite {
  return {
    ...{ key, value, level, ifVersion: options.ifVersion },
    input: { type: "put", key, value, condition },
    send: (keyspace, given) => keyspace.put(key, value, { ...given, ...options }),
  };
}

function deleting(
  key: string,
  _value: unknown,
  level: Level,
  options: Options,
  condition: WriteCondition | undefined,
): ConditionalWrite {
  return {
    ...{ key, value: undefined, level, ifVersion: options.ifVersion },
    input: { type: "delete", key, condition },
    send: (keyspace, given) => keyspace.delete(key, { ...given, ...options }),
  };
}

/** Reads, and writes on the condition that what it has read is still there. */
function modifying(key: string, value: unknown, level: Level): ConditionalWrite {
  // What it was given last is known once it has ended.
  const input: { type: "put"; key: string; value: unknown; condition?: WriteCondition } = {
    ...{ type: "put", key, value },
  };
  const send = (keyspace: EmbeddedKeyspace, given: object) =>
    keyspace.modify(
      key,
      (current) => {
        input.condition = { value: current };
        return value;
      },
      given,
    );
  return { key, value, level, ifVersion: undefined, input, send, takesIds: false };
}
