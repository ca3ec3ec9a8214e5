import type { Environment } from "../contracts/environment.ts";
import { CapstanError } from "../model/errors.ts";
import { CallSettings } from "./call-options.ts";
import { CallTimer } from "./call-timer.ts";
import { listenToAbort } from "./listen-to-abort.ts";

/** What is left of a call's options once its value is checked. */
export interface Checked {
  readonly value: unknown;
  readonly settings: Readonly<CallSettings>;
}

/**
 * An asynchronous schema is the caller's own code, and may take its time or never end: the call ends
 * all the same when its `timeoutMs` is over or its signal aborts. Nothing was sent then. What the
 * schema has taken is taken from the time of the call.
 *
 * @throws as a rejection what the schema throws; CapstanError `ABORTED`, `UNAVAILABLE`.
 */
export function checkedInTime(
  checked: Promise<unknown>,
  settings: Readonly<CallSettings>,
  environment: Environment,
): Promise<Checked> {
  const { signal, timeoutMs } = settings;
  if (signal === undefined && timeoutMs === undefined) {
    return checked.then((value) => ({ value, settings }));
  }
  const startMs = environment.monotonicMs();
  return new Promise((resolve, reject) => {
    const timer =
      timeoutMs === undefined
        ? undefined
        : new CallTimer(environment, timeoutMs, () => end(() => reject(late(timeoutMs))));
    const onAbort = { handleEvent: () => end(() => reject(aborted(signal))) };
    const end = (settle: () => void): void => {
      timer?.stop();
      signal?.removeEventListener("abort", onAbort);
      settle();
    };
    if (signal !== undefined) listenToAbort(signal, onAbort);
    checked.then(
      (value) => {
        const spentMs = environment.monotonicMs() - startMs;
        end(() => resolve({ value, settings: withoutTime(settings, spentMs) }));
      },
      (error: unknown) => end(() => reject(error)),
    );
  });
}

/** The options of a call that has used so much of its time. */
export function withoutTime(
  settings: Readonly<CallSettings>,
  spentMs: number,
): Readonly<CallSettings> {
  const { timeoutMs } = settings;
  if (timeoutMs === undefined) return settings;
  const leftMs = Math.max(1, timeoutMs - spentMs);
  return Object.assign(new CallSettings(), settings, { timeoutMs: leftMs });
}

function late(timeoutMs: number): CapstanError {
  return new CapstanError(
    "UNAVAILABLE",
    `the keyspace's schema has not checked the value within ${timeoutMs} ms; nothing was sent`,
  );
}

function aborted(signal: AbortSignal | undefined): CapstanError {
  return new CapstanError("ABORTED", "the call was aborted before anything was sent", {
    cause: signal?.reason,
  });
}
