import type { Denial } from "../../core/contracts/transport.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { dialSocket } from "./dial-socket.ts";
import type { PeerSocket } from "./peer-socket.ts";
import { encodePreamble } from "./preamble.ts";
import { PreambleExchange } from "./preamble-exchange.ts";
import type { SocketAddress } from "./socket-address.ts";
import type { TcpNode } from "./tcp-node.ts";

/**
 * One question of a process that its peer should have dialed: is another one connected under its
 * id? Without it, a second process that nobody dials would never hear of the first.
 */
export class Knock {
  readonly #socket: PeerSocket;
  readonly #exchange: PreambleExchange;

  /** `onAnswer` once, unless it is cancelled: undefined if the peer does not say so. */
  constructor(
    node: TcpNode,
    peer: NodeId,
    address: SocketAddress,
    onAnswer: (denial: Denial | undefined) => void,
  ) {
    const { environment, settings, nonce, cluster, self } = node;
    const hello = encodePreamble({
      ...{ kind: "knock", lane: "control", attempt: 0 },
      ...{ nonce, cluster, from: self, to: peer },
    });
    this.#socket = dialSocket(node, peer, address, hello);
    const answer = (denial?: Denial): void => {
      this.#socket.destroy();
      onAnswer(denial);
    };
    this.#exchange = new PreambleExchange(this.#socket, environment, settings.connectTimeoutMs, {
      onPreamble: (preamble) => answer(preamble.kind === "denial" ? preamble.denial : undefined),
      onFault: () => answer(),
    });
  }

  cancel(): void {
    this.#exchange.cancel();
    this.#socket.destroy();
  }
}
