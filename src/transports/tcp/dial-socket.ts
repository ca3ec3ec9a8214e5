import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import type { NodeId } from "../../core/model/ids.ts";
import { isCertified } from "../../tls/node-certificate.ts";
import { KEEP_ALIVE_DELAY_MS, PeerSocket } from "./peer-socket.ts";
import type { SocketAddress } from "./socket-address.ts";
import type { TcpNode } from "./tcp-node.ts";

/**
 * A connection to a peer, on which `hello` is the first that is said: where connections are encrypted,
 * only to the owner of that peer's certificate.
 */
export function dialSocket(
  { tls }: TcpNode,
  peer: NodeId,
  { host, port }: SocketAddress,
  hello: Uint8Array,
): PeerSocket {
  if (tls === undefined) {
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS };
    const socket = connect({ host, port, ...options });
    socket.write(hello);
    return new PeerSocket(socket);
  }
  // A certificate is of a node, and not of the host on which it runs: who it is of is asked below.
  const checkServerIdentity = (): undefined => undefined;
  const secureContext = tls.useContext();
  const socket = connectTls({ host, port, secureContext, checkServerIdentity });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
  socket.once("secureConnect", () => {
    if (isCertified(socket, peer)) socket.write(hello);
    else socket.destroy(new Error(`its certificate is not of ${peer}`));
  });
  return new PeerSocket(socket);
}
