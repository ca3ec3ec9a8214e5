const MAX_REMEMBERED = 4_096;

export interface UsedId {
  readonly key: Uint8Array;
  readonly shardIndex: number;
}

/**
 * Which key an operation id was used for at this coordinator, so that `resolve` finds it. Bounded:
 * the oldest is forgotten first, and `resolve` then answers `unknown`, which is never wrong.
 */
export class UsedIds {
  readonly #used = new Map<string, UsedId>();

  remember(operationId: string, key: Uint8Array, shardIndex: number): void {
    this.#used.delete(operationId);
    this.#used.set(operationId, { key, shardIndex });
    if (this.#used.size <= MAX_REMEMBERED) return;
    const oldest = this.#used.keys().next().value;
    if (oldest !== undefined) this.#used.delete(oldest);
  }

  find(operationId: string): UsedId | undefined {
    return this.#used.get(operationId);
  }
}
