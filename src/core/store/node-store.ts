import type { Container } from "inversify";
import type { Observable } from "rxjs";
import type { Environment } from "../contracts/environment.ts";
import type { Sender } from "../contracts/machine.ts";
import type { Observer } from "../contracts/observer.ts";
import type { StorageProblem } from "../contracts/storage.ts";
import type { Engine } from "../contracts/strategy.ts";
import type { ResolvedConfiguration } from "../model/configuration-types.ts";
import { CapstanError } from "../model/errors.ts";
import { keyspaceHashOfOperationId } from "../model/operation-id.ts";
import type { Outcome } from "../model/outcome.ts";
import type {
  CallOptions,
  CloseOptions,
  EmbeddedKeyspace,
  ReadyOptions,
  Store,
  StoreAdmin,
  StoreDescription,
  StoreEvent,
} from "./api.ts";
import { OPTIONS_OF, parseOptions } from "./call-options.ts";
import { CallTimer } from "./call-timer.ts";
import { describeStore } from "./describe-store.ts";
import type { NodeFacts } from "./facts/node-facts.ts";
import { JoiningWatch } from "./joining-watch.ts";
import type { KeyspaceHandle } from "./keyspace-handle.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { listenToAbort } from "./listen-to-abort.ts";
import type { DefaultLevels } from "./operation-maker.ts";
import { refuseAborted, toFault } from "./pending-call.ts";
import { Readiness } from "./readiness.ts";
import type { MachineHost, PeerNetwork } from "./seams.ts";
import { MembersDesk } from "./shard-members.ts";
import type { StoreEvents } from "./store-events.ts";
import { unmetPeers } from "./unmet-peers.ts";

const DEFAULT_CLOSE_TIMEOUT_MS = 5_000;

/** A keyspace that is open: what the caller holds and what works behind it. */
export interface OpenKeyspace {
  readonly name: string;
  readonly hash: number;
  readonly handle: KeyspaceHandle;
  readonly engine: Engine;
  readonly defaults: DefaultLevels;
}

export interface StoreParts {
  readonly self: Sender;
  readonly configuration: ResolvedConfiguration;
  readonly container: Container;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly lifecycle: Lifecycle;
  readonly events: StoreEvents;
  readonly keyspaces: ReadonlyMap<string, OpenKeyspace>;
  readonly host: MachineHost;
  readonly peers: PeerNetwork;
  /** What was found broken when this node opened. */
  readonly problems: readonly StorageProblem[];
  readonly facts: NodeFacts;
  /** Closes everything that was opened, the newest first. */
  readonly closeAll: (options: {
    readonly drain: boolean;
    readonly timeoutMs: number;
  }) => Promise<void>;
}

/** One node of a cluster, open in this process. */
export class NodeStore implements Store {
  readonly node: string;
  readonly keyspaceNames: readonly string[];
  readonly admin: StoreAdmin;
  readonly #parts: StoreParts;
  readonly #readiness: Readiness;
  /** None where there is nobody to wait for: a timer would keep a script's process alive. */
  readonly #joining: JoiningWatch | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: StoreParts) {
    const { self, keyspaces, lifecycle, environment, configuration, peers } = parts;
    this.#parts = parts;
    this.node = self.node;
    const lackedBy = (keyspace: string): readonly string[] =>
      peers
        .describe()
        .peers.filter(({ lacking }) => lacking?.includes(keyspace) === true)
        .map(({ node }) => node);
    const desk = new MembersDesk({
      ...{ configuration, keyspaces, lifecycle },
      monotonicMs: () => environment.monotonicMs(),
      lackedBy,
    });
    this.admin = Object.freeze({
      members: (query, options) => desk.members(query, options),
      changeReplicas: (change, options) => desk.changeReplicas(change, options),
      recoverShard: (recovery, options) => desk.recover(recovery, options),
      replications: (query) => parts.facts.replications(query),
      conflicts: (query) => parts.facts.conflicts(query),
    } satisfies StoreAdmin);
    this.keyspaceNames = Object.freeze([...keyspaces.keys()]);
    const open = [...keyspaces.values()];
    const { timeoutMs } = configuration.limits;
    const unmet = () => unmetPeers(peers, configuration.digest);
    const comesLater = (keyspace: string): boolean => lackedBy(keyspace).length > 0;
    const awaitsWord = (): boolean => peers.awaitsWord;
    this.#readiness = new Readiness(
      ...([open, lifecycle, environment, timeoutMs, unmet, comesLater, awaitsWord] as const),
    );
    if (configuration.cluster.nodes.length === 1) return;
    const { observer, events } = parts;
    const isJoining = (): boolean => {
      this.#noteReady();
      return lifecycle.state === "joining";
    };
    this.#joining = new JoiningWatch({
      ...{ node: this.node, environment, observer, events, isJoining, unmet },
    });
  }

  keyspace(name: string): EmbeddedKeyspace {
    return this.#open(name).handle;
  }

  async ready(options?: ReadyOptions): Promise<void> {
    await this.#readiness.wait(options);
    this.#noteReady();
  }

  close(options?: CloseOptions): Promise<void> {
    try {
      const maxTimeoutMs = this.#parts.configuration.limits.timeoutMs;
      const { drain, timeoutMs } = parseOptions(options, OPTIONS_OF.close, maxTimeoutMs);
      return this.#close(drain ?? true, timeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS);
    } catch (error) {
      return Promise.reject(toFault(error));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  operationId(keyspace: string): string {
    return this.#open(keyspace).handle.mintOperationId();
  }

  resolve(operationId: string, options?: CallOptions): Promise<{ readonly outcome: Outcome }> {
    try {
      const { lifecycle, configuration, environment } = this.#parts;
      if (!lifecycle.isAccepting) throw lifecycle.refusal();
      const maxTimeoutMs = configuration.limits.timeoutMs;
      const { signal, timeoutMs } = parseOptions(options, OPTIONS_OF.plain, maxTimeoutMs);
      refuseAborted(signal);
      const { engine } = this.#keyspaceOf(operationId);
      return new Promise((settle, reject) => {
        const end = (): void => {
          signal?.removeEventListener("abort", onAbort);
          timer?.stop();
        };
        const answer = (outcome: Outcome): void => {
          end();
          settle({ outcome });
        };
        const onAbort = {
          handleEvent: () => {
            end();
            reject(new CapstanError("ABORTED", "resolve was aborted", { cause: signal?.reason }));
          },
        };
        const timer =
          timeoutMs === undefined
            ? undefined
            : new CallTimer(environment, timeoutMs, () => answer("unknown"));
        if (signal !== undefined) listenToAbort(signal, onAbort);
        engine.resolve(operationId, answer);
      });
    } catch (error) {
      return Promise.reject(toFault(error));
    }
  }

  get events$(): Observable<StoreEvent> {
    return this.#parts.events.events$;
  }

  events(options?: { readonly signal?: AbortSignal }): AsyncIterable<StoreEvent> {
    return this.#parts.events.stream(options);
  }

  describe(): StoreDescription {
    this.#noteReady();
    return describeStore(this.#parts);
  }

  /** Something happened in host or network; waiters may be ready now. Internal. */
  noteChange(): void {
    this.#readiness.check();
    this.#noteReady();
  }

  /** The node cannot go on: what is pending was answered by the host, the rest is closed. Internal. */
  fail(error: CapstanError): void {
    const { lifecycle, events, observer, environment } = this.#parts;
    if (!lifecycle.fail(error)) return;
    this.#joining?.stop();
    observer.log("error", `node ${this.node} has stopped itself: ${error.message}`);
    events.emit({ type: "failed", code: error.code, message: error.message });
    this.#readiness.check();
    // Peers must not take this node for a living one. Not from within the step that failed; what
    // goes wrong here, `close` reports.
    environment.defer(() => {
      this.#closeAll(false, 0).catch(() => undefined);
    });
  }

  #close(drain: boolean, timeoutMs: number): Promise<void> {
    const { lifecycle, events } = this.#parts;
    if (lifecycle.state === "closed") return this.#closing ?? Promise.resolve();
    lifecycle.advance("draining");
    this.#joining?.stop();
    this.#readiness.check();
    return this.#closeAll(drain, timeoutMs).finally(() => {
      lifecycle.advance("closed");
      events.emit({ type: "closed" });
      events.end();
    });
  }

  #closeAll(drain: boolean, timeoutMs: number): Promise<void> {
    this.#closing ??= this.#parts.closeAll({ drain, timeoutMs });
    return this.#closing;
  }

  /** Joining ends once every keyspace could serve at its own levels; it never comes back. */
  #noteReady(): void {
    const { lifecycle, events } = this.#parts;
    if (lifecycle.state !== "joining" || this.#readiness.missing(undefined).length > 0) return;
    lifecycle.advance("ready");
    this.#joining?.stop();
    events.emit({ type: "ready" });
  }

  #open(name: string): OpenKeyspace {
    const found = this.#parts.keyspaces.get(name);
    if (found !== undefined) return found;
    throw new CapstanError(
      "UNKNOWN_KEYSPACE",
      `no keyspace ${JSON.stringify(name)} is declared; there are: ${this.keyspaceNames.join(", ")}`,
      { allowed: this.keyspaceNames, details: { keyspace: name } },
    );
  }

  #keyspaceOf(operationId: string): OpenKeyspace {
    const hash = keyspaceHashOfOperationId(operationId);
    for (const keyspace of this.#parts.keyspaces.values()) {
      if (keyspace.hash === hash) return keyspace;
    }
    throw new CapstanError(
      "INVALID_OPERATION_ID",
      "the operation id was not made for a keyspace of this store, or is damaged",
    );
  }
}
