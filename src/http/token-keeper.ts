import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Environment } from "../core/contracts/environment.ts";
import type { Observer } from "../core/contracts/observer.ts";
import { invalidConfiguration } from "../core/model/configuration-problems.ts";
import {
  HTTP_ROLES,
  type HttpRole,
  isHttpToken,
  TOKEN_ALLOWED,
  type TokenSource,
} from "../core/model/http-tokens.ts";

/** Files are read again for a request that comes when they were read longer ago than this. */
export const REREAD_AFTER_MS = 10_000;

/** Of a token only this is kept: it says nothing of it, and all are as long. */
interface Known {
  readonly digest: Buffer;
  readonly role: HttpRole;
}

/**
 * Knows who may do what by the token that is shown. A file that was replaced counts some time later;
 * one that is spoilt is told in the log, and what was read before stays.
 */
export class TokenKeeper {
  readonly #sources: readonly TokenSource[];
  readonly #clock: Pick<Environment, "monotonicMs">;
  readonly #observer: Pick<Observer, "log">;
  #known: readonly Known[];
  #readAtMs: number;
  #isReading = false;
  #lastFault: string | undefined;

  /** Rejects with `INVALID_CONFIGURATION` where a file holds no tokens. */
  static async load(
    sources: readonly TokenSource[],
    clock: Pick<Environment, "monotonicMs">,
    observer: Pick<Observer, "log">,
  ): Promise<TokenKeeper> {
    return new TokenKeeper(sources, clock, observer, await readAll(sources));
  }

  private constructor(
    sources: readonly TokenSource[],
    clock: Pick<Environment, "monotonicMs">,
    observer: Pick<Observer, "log">,
    known: readonly Known[],
  ) {
    this.#sources = sources;
    this.#clock = clock;
    this.#observer = observer;
    this.#known = known;
    this.#readAtMs = clock.monotonicMs();
  }

  /** Undefined for a token that is not known. Takes as long for each of them. */
  roleOf(token: string): HttpRole | undefined {
    this.#reloadIfOld();
    const digest = digestOf(token);
    let rank = -1;
    for (const known of this.#known) {
      const isThis = timingSafeEqual(known.digest, digest);
      rank = Math.max(rank, isThis ? HTTP_ROLES.indexOf(known.role) : -1);
    }
    return HTTP_ROLES[rank];
  }

  #reloadIfOld(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#isReading || nowMs - this.#readAtMs < REREAD_AFTER_MS) return;
    this.#isReading = true;
    void this.#reload().finally(() => {
      this.#isReading = false;
      this.#readAtMs = this.#clock.monotonicMs();
    });
  }

  async #reload(): Promise<void> {
    try {
      this.#known = await readAll(this.#sources);
      this.#lastFault = undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason === this.#lastFault) return;
      this.#lastFault = reason;
      this.#observer.log("warn", "tokens could not be read again: the earlier ones stay", {
        reason,
      });
    }
  }
}

export function mayDo(role: HttpRole, needed: HttpRole): boolean {
  return HTTP_ROLES.indexOf(role) >= HTTP_ROLES.indexOf(needed);
}

async function readAll(sources: readonly TokenSource[]): Promise<readonly Known[]> {
  const all = await Promise.all(
    sources.map(async (source) =>
      (await tokensOf(source)).map((token) => ({ digest: digestOf(token), role: source.role })),
    ),
  );
  return all.flat();
}

async function tokensOf({ option, tokens, file }: TokenSource): Promise<readonly string[]> {
  if (file === undefined) return tokens ?? [];
  const allowed = ["the path of a file that this process may read, with one token a line"];
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const reason = `cannot be read (${(error as NodeJS.ErrnoException).code})`;
    throw invalidConfiguration([{ path: option, value: file, allowed, reason }]);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const found = lines.filter((line) => line !== "" && !line.startsWith("#"));
  const wrong = lines.findIndex((line) => found.includes(line) && !isHttpToken(line));
  if (wrong >= 0) {
    const reason = `has no token in line ${wrong + 1} (which is not shown)`;
    throw invalidConfiguration([{ path: option, value: file, allowed: [TOKEN_ALLOWED], reason }]);
  }
  if (found.length === 0) {
    throw invalidConfiguration([{ path: option, value: file, allowed, reason: "has no token" }]);
  }
  return found;
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
