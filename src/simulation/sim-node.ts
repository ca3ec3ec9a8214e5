import type { LogFields, LogLevel, Observer } from "../core/contracts/observer.ts";
import { SILENT_OBSERVER } from "../core/contracts/observer.ts";
import type { Store, StoreEvent } from "../core/store/api.ts";
import type { MachineClock } from "./machine-clock.ts";
import type { MachineDisk } from "./machine-disk.ts";
import type { SimEnvironment } from "./sim-environment.ts";

/** Rejects what waits on a node whose process is gone: nobody answers any more. */
export class NodeDownError extends Error {
  override readonly name = "NodeDownError";
}

/** One start of a node. */
export interface NodeLife {
  readonly environment: SimEnvironment;
  /** Set once it is open. */
  store: Store | undefined;
  readonly events: StoreEvent[];
  /** Whether the store was seen ready, and whether it has said since it was opened that it failed. */
  wasReady: boolean;
  hasFailed: boolean;
  /** Rejects with a `NodeDownError` when the process is gone. */
  readonly died: Promise<never>;
  readonly end: () => void;
  /** Answers as the process does, or rejects like `died`. */
  readonly ask: <T>(asked: Promise<T>) => Promise<T>;
}

export function newLife(id: string, environment: SimEnvironment): NodeLife {
  let end: () => void = () => undefined;
  const died = new Promise<never>((_resolve, reject) => {
    end = () => reject(new NodeDownError(`the process of node ${id} is gone`));
  });
  const waiting = new Set<(error: NodeDownError) => void>();
  died.catch((error: NodeDownError) => {
    for (const reject of waiting) reject(error);
  });
  // A race with `died` would keep every answer until the process ends.
  const ask = <T>(asked: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      waiting.add(reject);
      asked.then(
        (answer) => {
          waiting.delete(reject);
          resolve(answer);
        },
        (error: unknown) => {
          waiting.delete(reject);
          reject(error);
        },
      );
    });
  return {
    environment,
    store: undefined,
    events: [],
    wasReady: false,
    hasFailed: false,
    died,
    end,
    ask,
  };
}

/** A machine with its clocks and its disk, and the process that runs on it, if one does. */
export interface SimNode {
  readonly id: string;
  readonly number: number;
  readonly clock: MachineClock;
  readonly disk: MachineDisk;
  life: NodeLife | undefined;
  starts: number;
}

/** Hears what a node says in its log, and what it counts. */
export function listeningObserver(
  log: (level: LogLevel, message: string, fields: LogFields | undefined) => void,
  count: Observer["count"],
): Observer {
  return { ...SILENT_OBSERVER, log, count };
}
