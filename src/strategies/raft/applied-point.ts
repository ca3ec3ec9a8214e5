import type { Effects, StateReader } from "../../core/contracts/machine.ts";
import { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { type Books, decodeBooks, emptyBooks } from "./books.ts";
import { type Configuration, readConfiguration, writeConfiguration } from "./configuration.ts";
import type { AppliedPoint } from "./consensus-types.ts";
import { booksKey, configurationKey } from "./state-rows.ts";

/**
 * Where a state stands, as the state itself says: its books have index and term, and a row of its
 * own has the configuration. Both are replicated state, so that a picture of it needs nothing else.
 */
export function readPoint(state: Pick<StateReader, "get">): AppliedPoint | undefined {
  const books = state.get(booksKey());
  if (books === undefined) return undefined;
  return pointOf(decodeBooks(books), state.get(configurationKey()));
}

export function readBooks(state: Pick<StateReader, "get">): Books {
  const row = state.get(booksKey());
  return row === undefined ? emptyBooks() : decodeBooks(row);
}

const NOT_WRITTEN = -1;

/** The row of the configuration, written whenever another one has come into force where the state stands. */
export class ConfigurationRow {
  /** Of the configuration that is written down in the state; that of birth, too, has to be. */
  #writtenIndex = NOT_WRITTEN;

  /** Another state has been taken up; `applied` is where it stands. */
  takeUp(applied: AppliedPoint | undefined): void {
    const isWritten = applied?.configuration !== undefined;
    this.#writtenIndex = isWritten ? applied.configurationIndex : NOT_WRITTEN;
  }

  /** The state stands at `point` now. */
  maybeWrite(point: AppliedPoint, state: Pick<Effects<unknown>, "put">): void {
    if (point.configurationIndex === this.#writtenIndex) return;
    const row = encodeConfigurationRow(point);
    if (row === undefined) return;
    this.#writtenIndex = point.configurationIndex;
    state.put(configurationKey(), row);
  }
}

/**
 * What lies under `configurationKey`. Undefined while the replica knows of none: one that came later
 * is given the log from its start, and meets its first configuration somewhere on the way.
 */
function encodeConfigurationRow(point: AppliedPoint): Uint8Array | undefined {
  if (point.configuration === undefined || point.configuration.voters.length === 0)
    return undefined;
  const writer = new ByteWriter();
  writer.u64(point.configurationIndex);
  writeConfiguration(writer, point.configuration);
  return writer.copy();
}

export function pointOf(books: Readonly<Books>, row: Uint8Array | undefined): AppliedPoint {
  const { appliedIndex: index, appliedTerm: term } = books;
  const { configuration, configurationIndex } = decodeConfigurationRow(row);
  return { index, term, configuration, configurationIndex };
}

function decodeConfigurationRow(row: Uint8Array | undefined): {
  configuration: Configuration | undefined;
  configurationIndex: number;
} {
  if (row === undefined) return { configuration: undefined, configurationIndex: 0 };
  const reader = new ByteReader(row);
  const configurationIndex = reader.u64();
  const configuration = readConfiguration(reader);
  reader.end();
  return { configuration, configurationIndex };
}
