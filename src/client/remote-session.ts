import { CapstanError } from "../core/model/errors.ts";
import { keyspaceHash } from "../core/model/hash.ts";
import { BEGIN_SESSION, SessionToken } from "../core/model/session-token.ts";
import type { ReadOptions } from "../core/store/api.ts";

/** What the calls of one `withSession` have seen, joined as their answers come in. */
export class RemoteSession {
  #token: SessionToken;

  /** @throws CapstanError `INVALID_SESSION`. */
  constructor(keyspace: string, token: string = BEGIN_SESSION) {
    this.#token = SessionToken.parse(keyspaceHash(keyspace), token);
  }

  get token(): string {
    return this.#token.toString();
  }

  /** The options of a call that goes on from here. */
  into<Options extends ReadOptions>(options: Options | undefined): Options & { session: string } {
    this.#token.refuseFull();
    return { ...(options as Options), session: this.token };
  }

  absorb(text: string): void {
    const seen = SessionToken.maybeDecode(text);
    if (seen?.keyspaceHash === this.#token.keyspaceHash) this.#token = this.#token.join(seen);
    else throw new CapstanError("INTERNAL", "the server's session token is not understood");
  }
}

/** What a result says of its session: to the call that gave one; `withSession` keeps it itself. */
export function sessionOf(
  seen: string | undefined,
  session: RemoteSession | undefined,
): { readonly session?: string } {
  if (seen === undefined) return {};
  if (session === undefined) return { session: seen };
  session.absorb(seen);
  return {};
}
