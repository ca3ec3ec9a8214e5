import {
  type ConfigurationOutline,
  compareOutlines,
  type OutlineDifference,
} from "../../model/configuration-outline.ts";
import type { ResolvedConfiguration } from "../../model/configuration-types.ts";
import { keyspaceHash } from "../../model/hash.ts";
import type { Hello } from "./hello.ts";

/** In how far this node and a peer were given the same to do. */
export interface Agreement extends OutlineDifference {
  /** Nothing differs. */
  readonly isWhole: boolean;
  /** By hash: the keyspaces that the peer does not have. Undefined if it has all. */
  readonly lacking: ReadonlySet<number> | undefined;
}

/** Beyond this many different ones, somebody is making them up. */
const MAX_REMEMBERED = 64;

const WHOLE: Agreement = Object.freeze({
  isWhole: true,
  conflicts: [],
  onlyHere: [],
  onlyThere: [],
  lacking: undefined,
});

/**
 * Compares configurations, each once: what a digest stands for is said by those hellos alone that
 * have an outline.
 */
export class Agreements {
  readonly #digest: string;
  readonly #outline: ConfigurationOutline;
  readonly #byDigest = new Map<string, Agreement>();

  constructor({ digest, outline }: Pick<ResolvedConfiguration, "digest" | "outline">) {
    this.#digest = digest;
    this.#outline = outline;
  }

  /** Undefined if it has not been said yet what the hello's digest stands for. */
  with({ digest, outline }: Pick<Hello, "digest" | "outline">): Agreement | undefined {
    if (digest === this.#digest) return WHOLE;
    const known = this.#byDigest.get(digest);
    if (known !== undefined || outline === undefined) return known;
    const difference = compareOutlines(this.#outline, outline.configuration);
    const { onlyHere } = difference;
    const lacking = onlyHere.length === 0 ? undefined : new Set(onlyHere.map(keyspaceHash));
    const agreement = Object.freeze({ ...difference, isWhole: false, lacking });
    if (this.#byDigest.size >= MAX_REMEMBERED) this.#byDigest.clear();
    this.#byDigest.set(digest, agreement);
    return agreement;
  }
}

/** Paths that keep the two apart for good; none, and the digests differ all the same: nobody knows. */
export function isConflict({ isWhole, conflicts, onlyHere, onlyThere }: Agreement): boolean {
  if (isWhole) return false;
  return conflicts.length > 0 || (onlyHere.length === 0 && onlyThere.length === 0);
}

/** What keeps the two apart, as paths of the configuration; else the keyspaces that one of them lacks. */
export function pathsOf({ conflicts, onlyHere, onlyThere }: Agreement): readonly string[] {
  if (conflicts.length > 0) return conflicts;
  return [...onlyHere, ...onlyThere].map((name) => `keyspaces.${name}`);
}
