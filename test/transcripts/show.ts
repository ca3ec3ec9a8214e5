import type { ShardMap } from "../../src/core/contracts/machine.ts";
import type { OperationResult } from "../../src/core/model/operations.ts";
import type { LeaderlessMessage, ReadMessage } from "../../src/strategies/leaderless/messages.ts";
import { showRecord, showStamp, showVersion } from "./stamp-text.ts";

export function showMessage(message: LeaderlessMessage): string {
  const round = "requestId" in message ? `r${message.requestId}` : "";
  switch (message.type) {
    case "at-epoch":
      return `at ${message.epoch}: ${showMessage(message.message)}`;
    case "place-map":
      return `map ${round} ${showMap(message.map)}`;
    case "place-wanted":
      return `map of ${message.epoch} wanted`;
    case "place-overdue":
      return `overdue ${showMap(message.map)} to ${message.goal.join("+")}`;
    case "place-recover":
      return `recover ${round}`;
    case "place-prepare":
      return `prepare ${round} ${message.ballot.round} after ${showMap(message.base)}`;
    case "place-accept":
      return `accept ${round} ${message.ballot.round} ${showMap(message.next)}`;
    case "place-state": {
      const { map, vote, readyFor } = message;
      const said = vote === undefined ? "" : `, promised ${vote.promised.round} of ${vote.epoch}`;
      const taken = vote?.accepted === undefined ? "" : `, accepted ${showMap(vote.accepted.map)}`;
      const ready = readyFor === 0 ? "" : `, ready for ${readyFor}`;
      return `state ${round} ${showMap(map)}${said}${taken}${ready}${counts(message.serving)}`;
    }
    case "write": {
      const { keyed, kind, proof } = message;
      const after = proof === undefined ? "" : ` after ${showStamp(proof)}`;
      return `${kind} ${round} ${Buffer.from(keyed.key)} ${showRecord(keyed.record)}${after}`;
    }
    case "write-ack": {
      const { verdict, stamp } = message;
      const newer = stamp === undefined ? "" : ` ${showStamp(stamp)}`;
      return `ack ${round} ${verdict}${newer}${counts(message.serving)}`;
    }
    case "read":
      return `read ${round} ${Buffer.from(message.key)}${howOf(message)}`;
    case "read-reply":
      return `record ${round} ${showRecord(message.record, true)}${counts(message.serving)}`;
    case "range": {
      const from =
        message.from === undefined
          ? "the first key"
          : JSON.stringify(`${Buffer.from(message.from)}`);
      return `range ${round} ${message.purpose} from ${from}`;
    }
    case "range-reply": {
      const entries = message.entries.map(
        ({ key, record }) => `${Buffer.from(key)} ${showRecord(record)}`,
      );
      const more = message.more ? ", more" : "";
      return `chunk ${round} ${message.purpose} [${entries.join(", ")}]${more}${counts(message.serving)}`;
    }
    case "reconcile": {
      const { spans, lists, records, wants, settledRound } = message;
      const parts = `${spans.length} spans, ${lists.length} lists, ${records.length} records`;
      return `reconcile ${round} ${parts}, ${wants.length} wants, settled r${settledRound}`;
    }
    case "hint":
      return `hint ${Buffer.from(message.key)} for ${message.targets.join(", ")}`;
    case "handoff": {
      const records = message.records.map(
        ({ key, record }) => `${Buffer.from(key)} ${showRecord(record)}`,
      );
      return `handoff ${round} [${records.join(", ")}]`;
    }
    case "handoff-ack":
      return `handoff-ack ${round}${message.refused === undefined ? "" : `, but for ${message.refused}`}`;
    case "standing":
      return message.serving ? "whole" : "rebuilding";
    case "settle":
      return `settle ${round} ${message.step}`;
  }
}

export function showResult(result: OperationResult): string {
  if ("outcome" in result) return result.outcome;
  if ("voters" in result) return result.voters.join(", ");
  const { receipt } = result;
  const { answered, durable, total } = receipt.replicas;
  const version = result.version === undefined ? "" : ` ${showVersion(result.version)}`;
  const value =
    "found" in result
      ? result.value === undefined
        ? " not found"
        : ` "${Buffer.from(result.value)}"`
      : "";
  const notes = [
    receipt.consistent ? `${receipt.achieved} met` : `only ${receipt.achieved} of ${receipt.asked}`,
    `${answered} answered and ${durable} durable of ${total}`,
    ...(receipt.pendingSync ? ["sync pending"] : []),
    ...(receipt.repaired > 0 ? [`${receipt.repaired} repaired`] : []),
    ...(receipt.warning === undefined ? [] : [`warning: ${receipt.warning}`]),
  ];
  return `ok${version}${value} (${notes.join("; ")})`;
}

function showMap({ epoch, replicas, pending, leaving }: ShardMap): string {
  const to = pending === undefined ? "" : ` pending ${pending.join("+")}`;
  const from = leaving === undefined ? "" : ` leaving ${leaving.join("+")}`;
  return `${epoch} ${replicas.join("+")}${to}${from}`;
}

function counts(serving: boolean): string {
  return serving ? "" : " rebuilding";
}

function howOf({ stampOnly, digestAbove }: ReadMessage): string {
  if (digestAbove !== undefined) return ` digest above ${digestAbove}`;
  return stampOnly ? " stamp only" : "";
}
