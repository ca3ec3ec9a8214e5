import type { Socket } from "node:net";

/**
 * By which a socket that shakes hands is known: Node does not say which of them became which socket of
 * TLS. Undefined once the connection is gone.
 */
export function callerNameOf({ remoteAddress, remotePort }: Socket): string | undefined {
  return remotePort === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}
