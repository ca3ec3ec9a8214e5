import { CapstanError } from "../../core/model/errors.ts";

export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

const MAX_PORT = 65_535;
const FORM = /^(?:\[(?<v6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?<host>[^\s:[\]/@]+)):(?<port>\d{1,5})$/;

/**
 * `host:port`, with an IPv6 host in brackets (`[::1]:7300`). Throws `INVALID_CONFIGURATION`; `what`
 * says whose address it is. Port 0 is refused: nobody could know where to dial.
 */
export function parseSocketAddress(text: string, what: string): SocketAddress {
  const groups = FORM.exec(text)?.groups;
  const port = Number(groups?.port);
  const host = groups?.v6 ?? groups?.host;
  if (host === undefined || !(port >= 1 && port <= MAX_PORT)) {
    throw new CapstanError(
      "INVALID_CONFIGURATION",
      `${what} is ${JSON.stringify(text)}; it must be host:port with a port from 1 to ${MAX_PORT}, an IPv6 host in brackets ("10.0.0.1:7300", "[::1]:7300")`,
      { details: { address: text } },
    );
  }
  return { host, port };
}
