import type { OperationResult, WriteResult } from "../model/operations.ts";
import { SessionToken } from "../model/session-token.ts";
import { CallSettings } from "./call-options.ts";
import type { OperationMaker } from "./operation-maker.ts";
import type { Finish } from "./pending-call.ts";

/** Where `withSession` keeps what its calls have seen. */
export interface SessionHolder {
  token: SessionToken;
}

/**
 * Puts into the settings what the call's session has seen: what it was given as `session`, and what
 * is held for it.
 *
 * @throws CapstanError `INVALID_SESSION`, `NOT_SUPPORTED`.
 */
export function withSessionToken(
  settings: Readonly<CallSettings>,
  holder: SessionHolder | undefined,
  keyspaceHash: number,
  maker: OperationMaker,
): Readonly<CallSettings> {
  const { session } = settings;
  if (session === undefined && holder === undefined) return settings;
  maker.need("sessions", "session");
  const given = session === undefined ? undefined : SessionToken.parse(keyspaceHash, session);
  holder?.token.refuseFull();
  const held = holder?.token ?? SessionToken.begin(keyspaceHash);
  const copy = Object.assign(new CallSettings(), settings);
  copy.sessionToken = given === undefined ? held : held.join(given);
  return copy;
}

/**
 * Takes over what a result has seen: into the holder, from where the next call goes on, or into
 * the `session` of the answer.
 */
export function finishInSession<Result>(
  finish: Finish<Result>,
  token: SessionToken,
  holder: SessionHolder | undefined,
  shardIndex: number,
): Finish<Result> {
  return (result) => {
    const seen = seenOf(result);
    const after = seen === undefined ? token : token.with(shardIndex, seen);
    if (holder !== undefined) holder.token = holder.token.join(after);
    const finished = finish(result);
    if (holder !== undefined || typeof finished !== "object") return finished;
    return { ...finished, session: after.toString() };
  };
}

/** A refused conditional write has at least seen what is there instead. */
function seenOf(result: OperationResult) {
  const { session, rejected } = result as WriteResult;
  return session ?? rejected?.current.session;
}
