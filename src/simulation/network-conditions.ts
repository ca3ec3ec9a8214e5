/** What may happen to a frame on its way. Shares lie in [0, 1], times are milliseconds. */
export interface NetworkConditions {
  /** Share of the frames that vanish. */
  readonly loss: number;
  /** Share of the others that arrive twice, each copy in its own time. */
  readonly doubling: number;
  /** No frame takes less. */
  readonly minDelayMs: number;
  /** What a frame takes beyond that is drawn from an exponential distribution with this mean. */
  readonly meanDelayMs: number;
  /** Share of the frames that are late by another exponential draw, with `tailMeanMs`. */
  readonly tailShare: number;
  readonly tailMeanMs: number;
  /** What a lane between two nodes carries in a millisecond: frames of one lane go one by one. */
  readonly bytesPerMs: number;
  /** Frames of one lane between the same two nodes overtake each other. */
  readonly reorders: boolean;
}

/** No frame is later than this. */
export const LONGEST_DELAY_MS = 60_000;

/** A good network in one building. */
export const GOOD_NETWORK: NetworkConditions = Object.freeze({
  loss: 0,
  doubling: 0,
  minDelayMs: 0.1,
  meanDelayMs: 0.2,
  tailShare: 0,
  tailMeanMs: 0,
  bytesPerMs: 100_000,
  reorders: false,
});

/**
 * How nodes are connected. `pairs`: each two have a connection, which says when the other end has
 * closed (TCP). `server`: each has one to something in the middle; when that breaks, everything that
 * is under way to or from the node is lost, and what it sends meanwhile is not taken (NATS).
 */
export type ConnectionMode = (typeof CONNECTION_MODES)[number];

export const CONNECTION_MODES = Object.freeze(["pairs", "server"] as const);
