import { CapstanError, overloaded } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { MintVerdict } from "./messages.ts";
import { MAX_SIBLINGS } from "./mint.ts";

/** Nobody is there that could name the write, and keep it. */
export function noMinter(replicas: readonly NodeId[], standIns: readonly NodeId[]): CapstanError {
  const others = standIns.length === 0 ? "nobody stands in" : `nor ${standIns.join(", ")}`;
  return new CapstanError(
    "UNAVAILABLE",
    `none of the replicas ${replicas.join(", ")} can be reached, ${others}; nothing was sent`,
    { details: { replicas, standIns } },
  );
}

export function unknownWrite(
  why: string,
  operationId: string,
  details: Readonly<Record<string, unknown>>,
): CapstanError {
  return new CapstanError(
    "OUTCOME_UNKNOWN",
    `${why}: it may or may not take effect; a retry with the operation id is the same write`,
    { operationId, details },
  );
}

/** What the minter would not take; nothing was stored anywhere. */
export function notMinted(verdict: MintVerdict, keyText: string, reason: string): CapstanError {
  switch (verdict) {
    case "too-many-siblings":
      return new CapstanError(
        "TOO_MANY_SIBLINGS",
        `the key ${keyText} has ${MAX_SIBLINGS} versions side by side; read it and write with ` +
          "its version as context, which replaces them",
        { allowed: ["a write with context"], details: { siblings: MAX_SIBLINGS } },
      );
    case "too-large":
      return new CapstanError("VALUE_TOO_LARGE", `the record of the key ${keyText} has ${reason}`);
    case "context-full":
      return new CapstanError("VALUE_TOO_LARGE", `the key ${keyText} has ${reason}`);
    case "no-room":
      return overloaded(
        `the write of the key ${keyText}: no replica of it can be reached, and the node that ` +
          "stands in keeps as many copies for others as it may (repair.maxHints, repair.maxHintBytes)",
      );
    default:
      // The resolver would not have it upon the state that is there: `CrdtResolver.mutate`.
      return new CapstanError("INVALID_ARGUMENT", `the write of the key ${keyText}: ${reason}`);
  }
}

/** Neither a replica nor a stand-in with a copy has answered a read. */
export function noCopyReachable(
  keyText: string,
  replicas: readonly NodeId[],
  answered: readonly NodeId[],
): CapstanError {
  const heard = answered.length === 0 ? "nobody" : answered.join(", ");
  return new CapstanError(
    "NO_COPY_REACHABLE",
    `no copy of the key ${keyText} was found in time: of the replicas ${replicas.join(", ")} ` +
      `none could say that there is none, and ${heard} answered`,
    { details: { replicas, answered } },
  );
}

export function keyTextOf(key: Uint8Array): string {
  return JSON.stringify(Buffer.from(key).toString("utf8").slice(0, 60));
}
