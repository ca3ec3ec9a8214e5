import type {
  Generation,
  Space,
  StateMutation,
  StateRange,
  StateStore,
  StateView,
  Storage,
} from "../core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../core/model/ids.ts";
import { SHARD_A, textOf, utf8 } from "./storage-harness.ts";
import { check, checkEqual, type SuiteClock, until } from "./suite.ts";

/** `key=value` of a whole space, in the order that it was given. */
export type Listing = readonly string[];

/** A bound that a case leaves open. */
export const OPEN = undefined;

/** A started state, with text for keys and values. */
export class StateProbe {
  readonly state: StateStore;
  readonly failures: Error[] = [];
  readonly #clock: SuiteClock;

  constructor(storage: Storage, clock: SuiteClock) {
    this.state = storage.state;
    this.#clock = clock;
    this.state.start({
      onFailed: (error) => {
        this.failures.push(error);
      },
    });
  }

  /** Commits one position further than the last. */
  commit(...mutations: readonly StateMutation[]): LogPosition {
    const position = (this.state.committedPosition + 1) as LogPosition;
    this.state.commit({ mutations, position });
    return position;
  }

  get(key: string, space: Space = "data", shard: ShardId = SHARD_A): string | undefined {
    return textOf(this.state.get(shard, space, utf8(key)));
  }

  list(space: Space = "data", shard: ShardId = SHARD_A): Listing {
    const view = this.state.view(shard);
    try {
      return listOf(view, space);
    } finally {
      view.close();
    }
  }

  async durable(): Promise<void> {
    await until(
      this.#clock,
      () => {
        const { durablePosition, committedPosition } = this.state;
        check(durablePosition <= committedPosition, "durablePosition is above committedPosition");
        return durablePosition === committedPosition || this.failures.length > 0;
      },
      "durablePosition to reach committedPosition",
    );
  }
}

export function listOf(view: StateView, space: Space = "data"): Listing {
  const { entries, more } = view.range(space, OPEN, OPEN, Number.MAX_SAFE_INTEGER);
  check(!more, "a range with room for all says that there is more");
  return entries.map(({ key, value }) => `${textOf(key)}=${textOf(value)}`);
}

export function keysOf(range: StateRange): string[] {
  return range.entries.map(({ key }) => textOf(key) as string);
}

export function checkListing(actual: Listing, expected: string, what: string): void {
  checkEqual(actual, expected === "" ? [] : expected.split(" "), what);
}

interface Place {
  readonly shard?: ShardId;
  readonly space?: Space;
  readonly generation?: Generation;
}

export function put(key: string, value: string, place: Place = {}): StateMutation {
  return {
    type: "put",
    shard: SHARD_A,
    space: "data",
    ...place,
    key: utf8(key),
    value: utf8(value),
  };
}

/** One put for each `key=value` of the text. */
export function puts(entries: string, place: Place = {}): StateMutation[] {
  return entries.split(" ").map((entry) => {
    const [key, value] = entry.split("=") as [string, string];
    return put(key, value, place);
  });
}

export function del(key: string, place: Place = {}): StateMutation {
  return { type: "delete", shard: SHARD_A, space: "data", ...place, key: utf8(key) };
}

export function delRange(
  from: string | undefined,
  to: string | undefined,
  place: Place = {},
): StateMutation {
  const bound = (text: string | undefined) => (text === undefined ? undefined : utf8(text));
  const bounds = { from: bound(from), to: bound(to) };
  return { type: "delete-range", shard: SHARD_A, space: "data", ...place, ...bounds };
}

export function switchTo(generation: Generation, shard: ShardId = SHARD_A): StateMutation {
  return { type: "switch-generation", shard, generation };
}
