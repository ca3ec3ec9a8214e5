import {
  kindOfEntry,
  payloadOfEntry,
  termOfEntry,
} from "../../../../../src/strategies/raft/entry.ts";
import type { PeerMessage } from "../../../../../src/strategies/raft/peer-messages.ts";

/** One line, as transcripts have it. Places in the log are `index/term`. */
export function showMessage(message: PeerMessage): string {
  const term = `t${message.term}`;
  switch (message.type) {
    case "vote": {
      const what = message.pre ? "would you vote" : "vote";
      const how = message.transfer ? ", handed over" : "";
      return `${what} ${term}? last ${message.lastIndex}/${message.lastTerm}${how}`;
    }
    case "vote-reply":
      return `${message.granted ? "yes" : "no"} ${term}${message.pre ? ", if you stood" : ""}`;
    case "append": {
      const entries = message.records.map(showRecord).join(" ");
      const place = `behind ${message.prevIndex}/${message.prevTerm}`;
      return `append ${term} ${place}, committed ${message.commitIndex}: ${entries}`.trimEnd();
    }
    case "append-reply":
      return message.rejected
        ? `no ${term}, not behind ${message.index}; maybe ${message.hintIndex}/${message.hintTerm}`
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
    case "snapshot-chunk":
      return `snapshot ${term} of ${message.point.index}, chunk ${message.number}${message.last ? ", the last" : ""}`;
    case "snapshot-reply":
      return message.installed
        ? `has ${term} up to ${message.index}`
        : `wants chunk ${message.next}`;
  }
}

function showRecord(record: Uint8Array): string {
  const kind = kindOfEntry(record);
  const text = kind === "command" ? Buffer.from(payloadOfEntry(record)).toString() : kind;
  return `${text}/${termOfEntry(record)}`;
}
