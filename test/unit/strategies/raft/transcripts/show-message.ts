import { describeConfiguration } from "../../../../../src/strategies/raft/configuration.ts";
import {
  kindOfEntry,
  payloadOfEntry,
  termOfEntry,
} from "../../../../../src/strategies/raft/entry.ts";
import { groupOf } from "../../../../../src/strategies/raft/group.ts";
import type { PairMessage } from "../../../../../src/strategies/raft/pair-messages.ts";
import type { RestingShard } from "../../../../../src/strategies/raft/pairs.ts";
import type { PeerMessage } from "../../../../../src/strategies/raft/peer-messages.ts";

const TERMS = 2 ** 32;

/** Within the shard's first group a number; of a recovered one `group:term`. */
export function showTerm(term: number): string {
  const group = groupOf(term);
  return group === 0 ? String(term) : `${group}:${term - group * TERMS}`;
}

/** One line, as transcripts have it. Places in the log are `index/term`. */
export function showMessage(message: PeerMessage | PairMessage): string {
  const term = "term" in message ? `t${showTerm(message.term)}` : "";
  switch (message.type) {
    case "vote": {
      const what = message.pre ? "would you vote" : "vote";
      const how = message.transfer ? ", handed over" : "";
      return `${what} ${term}? last ${message.lastIndex}/${showTerm(message.lastTerm)}${how}`;
    }
    case "vote-reply":
      return `${message.granted ? "yes" : "no"} ${term}${message.pre ? ", if you stood" : ""}`;
    case "append": {
      const entries = message.records.map(showRecord).join(" ");
      const place = `behind ${message.prevIndex}/${showTerm(message.prevTerm)}`;
      return `append ${term} ${place}, committed ${message.commitIndex}: ${entries}`.trimEnd();
    }
    case "append-reply":
      return message.rejected
        ? `no ${term}, not behind ${message.index}; maybe ${message.hintIndex}/${showTerm(message.hintTerm)}`
        : `has ${term} up to ${message.index}`;
    case "heartbeat":
      return `heartbeat ${term} committed ${message.commitIndex}`;
    case "heartbeat-reply":
      return `hears ${term}`;
    case "read-index":
      return `read at which index? ${term}`;
    case "read-index-reply":
      return message.failure === undefined ? `read at ${message.index}` : message.failure;
    case "take-over":
      return `take over ${term}`;
    case "rest":
      return `rest ${term} committed ${message.commitIndex}`;
    case "stir":
      return `stir ${term}`;
    case "pair-heartbeat":
      return `pair heartbeat, ${message.count} at rest`;
    case "pair-reply":
      return "pair agrees";
    case "pair-question":
      return `follows at rest: ${showShards(message.shards)}`;
    case "pair-answer":
      return `does not lead: ${showShards(message.disowned)}`;
    case "pairs-begin":
      return "pairs begin";
    case "dismissal":
      return `dismissed at ${message.index} for ${describeConfiguration(message.configuration)}`;
    case "snapshot-chunk":
      return `snapshot ${term} of ${message.point.index}, chunk ${message.number}${message.last ? ", the last" : ""}`;
    case "snapshot-reply":
      return message.installed
        ? `has ${term} up to ${message.index}`
        : `wants chunk ${message.next}`;
  }
}

function showShards(shards: readonly RestingShard[]): string {
  return (
    shards.map(({ shardIndex, term }) => `${shardIndex}/t${showTerm(term)}`).join(" ") || "nothing"
  );
}

function showRecord(record: Uint8Array): string {
  const kind = kindOfEntry(record);
  const text = kind === "command" ? Buffer.from(payloadOfEntry(record)).toString() : kind;
  return `${text.trimEnd()}/${showTerm(termOfEntry(record))}`;
}
