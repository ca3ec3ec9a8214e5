import { isIP } from "node:net";
import { CapstanError } from "../core/model/errors.ts";

const LOOPBACK_NAMES: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];
const ANY_ADDRESS: readonly string[] = ["0.0.0.0", "::"];

/**
 * Knows under which names this server may be addressed. A page of another site can make a browser
 * send requests to a loopback port under the page's own host name (DNS rebinding), so that a name
 * that is not ours is refused. Bound to every address, the server also answers to IP literals:
 * these cannot be rebound.
 */
export class HostGuard {
  readonly #names: ReadonlySet<string>;
  readonly #takesAddresses: boolean;

  constructor(boundHost: string, allowedHosts: readonly string[]) {
    this.#names = new Set([
      ...LOOPBACK_NAMES,
      ...[boundHost, ...allowedHosts].map((each) => normalise(each)),
    ]);
    this.#takesAddresses = ANY_ADDRESS.includes(boundHost);
  }

  /** Throws `FORBIDDEN_HOST`. `authority` is `name` or `name:port`; any port is fine. */
  checkHost(authority: string | undefined): void {
    if (authority !== undefined && this.#isOurs(nameOf(authority))) return;
    throw new CapstanError(
      "FORBIDDEN_HOST",
      authority === undefined
        ? "the request names no Host"
        : `the Host ${JSON.stringify(authority.slice(0, 100))} is not an address of this node; ` +
            "name it in the server's allowedHosts if it is",
    );
  }

  /** A write from a page of another origin. Programs send no `Origin`. */
  checkOrigin(origin: string | undefined): void {
    if (origin === undefined) return;
    const authority = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
    if (authority !== undefined && this.#isOurs(nameOf(authority))) return;
    throw new CapstanError(
      "FORBIDDEN_HOST",
      `a write from a page of ${JSON.stringify(origin.slice(0, 100))} is refused`,
    );
  }

  #isOurs(name: string): boolean {
    if (this.#names.has(name)) return true;
    return this.#takesAddresses && isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0;
  }
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** As it stands in a `Host`: an IPv6 address in brackets, lower case. */
function normalise(host: string): string {
  return isIP(host) === 6 ? `[${host.toLowerCase()}]` : host.toLowerCase();
}

function nameOf(authority: string): string {
  return authority.toLowerCase().replace(/:\d*$/, "");
}
