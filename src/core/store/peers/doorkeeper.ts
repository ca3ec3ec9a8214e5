import type { Denial } from "../../contracts/transport.ts";
import type { CapstanError } from "../../model/errors.ts";
import type { NodeId } from "../../model/ids.ts";
import type { Notices } from "./notices.ts";
import type { PeerNetworkOptions } from "./peer-network-options.ts";
import { conflictError, conflictPatienceMs, noteRival } from "./rivals.ts";
import type { PeerSession } from "./session.ts";

export interface DoorkeeperHost {
  /** Its state changed: say what follows from it. */
  refresh(session: PeerSession): void;
  fail(error: CapstanError): void;
  /** As `fail`; and if this process has counted, its data must not be gone on with. */
  giveWay(error: CapstanError): void;
  /** Some peer was to be sent messages of this process, as its node's. */
  readonly hasCounted: boolean;
  /** This process counts nowhere any more, whatever it is told. */
  freeze(): void;
}

export interface DoorkeeperOptions {
  readonly network: PeerNetworkOptions;
  readonly notices: Notices;
  readonly host: DoorkeeperHost;
}

/** Within it, if nothing is lost, each of two that have counted hears of the other. */
const FROZEN_AT_LEAST_MS = 3_000;

/**
 * Two processes under one id, where the transport lets in one of them, so that no hello of the other
 * comes: what the other is told, and what this node makes of being told so.
 *
 * Whether both live is known as it is of two that say hello (`admission.ts`): the one that is
 * connected has answered a hello that was sent after the other had knocked, so that it lived when the
 * other had begun; and the other, which reads that, still lives. Two lives of one node never do. Until
 * then it may be this node's earlier life, half-open: that is no reason to stop, but one to count with
 * nobody, as others may know less.
 *
 * Where both have counted, each with another peer, neither has all that was acknowledged under their id,
 * so that neither may go on: each counts nowhere from then on, and stays just long enough to have the
 * other told as well.
 */
export class Doorkeeper {
  readonly #options: DoorkeeperOptions;
  #frozen: { readonly by: NodeId; readonly sinceMs: number } | undefined;

  constructor(options: DoorkeeperOptions) {
    this.#options = options;
  }

  /** What `claimant` is told, which says to be this peer; undefined: a peer that nobody knows. */
  answer(session: PeerSession | undefined, claimant: string): Denial {
    if (session === undefined || !session.alive) return "identity-taken";
    const { network, notices } = this.#options;
    noteRival(session, claimant, network.environment.monotonicMs());
    const sinceSequence = session.rivals.get(claimant)?.sinceSequence ?? session.sentSequence;
    if (session.answeredSequence <= sinceSequence) return "identity-taken";
    const holder = session.identity?.storeId;
    notices.sayOnce("identity-conflict", session.node, claimant, { claimant, holder });
    return session.hasCounted ? "identity-forked" : "identity-conflict";
  }

  /** What this peer says of this process; undefined: nothing, or nothing any more. */
  hear(session: PeerSession | undefined, denial: Denial | undefined): void {
    if (session === undefined) return;
    const { network, notices, host } = this.#options;
    const { self, environment, configuration } = network;
    const nowMs = environment.monotonicMs();
    const before = session.deniedAs;
    session.deniedAs = denial;
    if (isConflict(before) !== isConflict(denial)) session.deniedSinceMs = nowMs;
    if (before !== denial) host.refresh(session);
    if (!isConflict(denial)) return;
    const reportedBy = session.node;
    notices.sayOnce("identity-conflict", self.node, `denied by ${reportedBy}`, { reportedBy });
    if (denial === "identity-forked" && host.hasCounted && this.#frozen === undefined) {
      this.#frozen = { by: session.node, sinceMs: nowMs };
      host.freeze();
    }
    // One that ends as this one begins passes by itself.
    if (this.#frozen !== undefined) return;
    const patienceMs = conflictPatienceMs(configuration);
    // Of two of which one alone has counted, the other is the first to lose patience.
    if (nowMs - session.deniedSinceMs < (host.hasCounted ? 2 * patienceMs : patienceMs)) return;
    host.fail(conflictError(self.node, session.node));
  }

  /** With every heartbeat. */
  review(): void {
    if (this.#frozen === undefined) return;
    const { network, host } = this.#options;
    const { self, environment, configuration } = network;
    const { by, sinceMs } = this.#frozen;
    const patienceMs = Math.max(conflictPatienceMs(configuration), FROZEN_AT_LEAST_MS);
    if (environment.monotonicMs() - sinceMs >= patienceMs) {
      host.giveWay(conflictError(self.node, by));
    }
  }
}

function isConflict(denial: Denial | undefined): boolean {
  return denial === "identity-conflict" || denial === "identity-forked";
}
