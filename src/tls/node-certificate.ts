import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** A node's id stands in a certificate as it is: no pattern that would fit it. */
const EXACTLY = Object.freeze({
  ...({ subject: "never", wildcards: false, partialWildcards: false } as const),
  ...{ multiLabelWildcards: false, singleLabelSubdomains: false },
});

/** Whether the certificate names that node; who signed it is not asked here. */
export function isCertificateOf(certificate: X509Certificate, node: string): boolean {
  return certificate.checkHost(node, EXACTLY) === node;
}

/** Whether the other end's certificate, which the authority has signed, is of that node. */
export function isCertified(socket: Socket, node: string): boolean {
  if (!(socket instanceof TLSSocket)) return false;
  const certificate = socket.getPeerX509Certificate();
  return certificate !== undefined && isCertificateOf(certificate, node);
}
