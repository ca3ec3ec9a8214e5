import type { Sender } from "../contracts/machine.ts";
import type { Observer } from "../contracts/observer.ts";
import type { ByteReader } from "../model/bytes.ts";
import type { NodeId } from "../model/ids.ts";
import { MalformedBytesError } from "../model/malformed-bytes-error.ts";
import { NOT_YET } from "./event-inbox.ts";
import type { KeyspaceMachines } from "./keyspace-machines.ts";
import type { MachineCell } from "./machine-cell.ts";
import type { MachineRunner } from "./machine-runner.ts";
import type { MessageAddress, PeerNetwork } from "./seams.ts";
import { type WatchMessage, watchCodec } from "./watch/watch-messages.ts";
import type { Word } from "./words.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Takes messages between this node's machines and the peer network. */
export class MessageRouter {
  readonly #keyspaces: ReadonlyMap<number, KeyspaceMachines>;
  readonly #runner: MachineRunner;
  readonly #observer: Observer;
  /** The disk is too far behind for replicas to take anything more. */
  readonly #mustDrop: () => boolean;
  /** One for all messages: `send` has encoded it when it returns. */
  readonly #address: Mutable<MessageAddress> = {
    role: "replica",
    keyspaceHash: 0,
    shardIndex: 0,
  };
  #peers: PeerNetwork | undefined;
  /** Messages for machines that are not here, or that did not decode. */
  dropped = 0;

  constructor(
    keyspaces: ReadonlyMap<number, KeyspaceMachines>,
    runner: MachineRunner,
    observer: Observer,
    mustDrop: () => boolean,
  ) {
    this.#keyspaces = keyspaces;
    this.#runner = runner;
    this.#observer = observer;
    this.#mustDrop = mustDrop;
  }

  attach(peers: PeerNetwork): void {
    this.#peers = peers;
  }

  /** What is not taken is lost, which every machine must be able to bear. */
  send(cell: MachineCell, word: Extract<Word, { type: "send" }>): void {
    const machines = this.#keyspaces.get(cell.keyspaceHash);
    if (machines === undefined || this.#peers === undefined) return;
    const { node, lane, role, shardIndex, message } = word;
    const address = this.#address;
    address.role = role;
    address.keyspaceHash = cell.keyspaceHash;
    address.shardIndex = shardIndex;
    const result = this.#peers.send(node, lane, address, machines.codec, message);
    if (result !== "queued") this.#observer.count("capstan_messages_unsent", 1, { result });
  }

  /** Between the watches of two nodes; likewise. */
  sendWatch(keyspaceHash: number, node: NodeId, shardIndex: number, message: WatchMessage): void {
    if (this.#peers === undefined) return;
    const address = { role: "watch", keyspaceHash, shardIndex } as const;
    const result = this.#peers.send(node, "log", address, watchCodec, message);
    if (result !== "queued") this.#observer.count("capstan_messages_unsent", 1, { result });
  }

  receive(from: Sender, address: MessageAddress, body: ByteReader): void {
    const machines = this.#keyspaces.get(address.keyspaceHash);
    if (address.role === "watch") {
      this.#receiveWatch(machines, from, address.shardIndex, body);
      return;
    }
    const cell = machines?.cell(address.role, address.shardIndex);
    if (machines === undefined || cell === undefined || !cell.open) {
      this.#drop(machines === undefined ? "unknown-keyspace" : "no-machine");
      return;
    }
    let message: unknown;
    try {
      message = machines.codec.decode(body);
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error;
      this.#drop("malformed");
      return;
    }
    if (address.role === "replica" && this.#mustDrop() && !machines.codec.isLight?.(message)) {
      this.#drop("disk-behind");
      return;
    }
    // Run when the frame has been taken apart: `onTurnEnd`.
    this.#runner.enqueue(cell, {
      type: "message",
      from,
      shardIndex: address.shardIndex,
      message,
      nowMs: NOT_YET,
      wallMs: NOT_YET,
    });
  }

  #receiveWatch(
    machines: KeyspaceMachines | undefined,
    from: Sender,
    shardIndex: number,
    body: ByteReader,
  ): void {
    try {
      machines?.watches.receive(from, shardIndex, body);
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error;
      this.#drop("malformed");
    }
  }

  #drop(reason: string): void {
    this.dropped++;
    this.#observer.count("capstan_messages_dropped", 1, { reason });
  }
}
