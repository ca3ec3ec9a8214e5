/** What one key may hold, by what was said of the writes to it. */
interface KeyHistory {
  /** The last one that was acknowledged, or found to be kept. */
  settled: number | undefined;
  /** Begun since, and neither acknowledged nor refused: each may be there. */
  readonly open: Set<number>;
  readonly refused: Set<number>;
}

/**
 * Judges what a node holds after a crash: every acknowledged write or a later one of its key is
 * there, and no refused one is. Each key has one writer, which awaits one write before the next.
 */
export class KeptWrites {
  readonly #keys = new Map<string, KeyHistory>();
  readonly #held = new Map<string, number>();
  #greatest = 0;
  acknowledged = 0;
  refused = 0;

  /** Above every sequence that was used. */
  get nextSequence(): number {
    return this.#greatest + 1;
  }

  /** Another life begins: what a killed one had begun to say that it holds does not count. */
  begin(): void {
    this.#held.clear();
  }

  /** One line of a writing process. */
  hear(line: string): void {
    const [word, key = "", text = ""] = line.split(" ");
    const sequence = Number(text);
    if (word === "HELD") {
      this.#held.set(key, sequence);
      return;
    }
    this.#greatest = Math.max(this.#greatest, sequence);
    const history = this.#historyOf(key);
    if (word === "ISSUED") history.open.add(sequence);
    else if (word === "ACKED") {
      this.acknowledged++;
      history.open.clear();
      history.settled = sequence;
    } else if (word === "REFUSED") {
      this.refused++;
      history.open.delete(sequence);
      history.refused.add(sequence);
    } else if (word !== "UNKNOWN") throw new Error(`a writing process said "${line}"`);
  }

  /** Holds what was found since the last time against what was said; then goes on from it. */
  judge(): string[] {
    const wrong: string[] = [];
    for (const [key, history] of this.#keys) {
      const held = this.#held.get(key);
      const { settled, open, refused } = history;
      if (held === settled || (held !== undefined && open.has(held))) {
        history.settled = held;
        // Never acknowledged, and overtaken by the crash: it may not come back later.
        open.clear();
        continue;
      }
      if (held !== undefined && refused.has(held)) wrong.push(`${key} holds the refused ${held}`);
      else wrong.push(`${key} holds ${held}, and ${settled} was acknowledged`);
    }
    for (const key of this.#held.keys()) {
      if (!this.#keys.has(key)) wrong.push(`${key} is there, and nobody wrote it`);
    }
    this.#held.clear();
    return wrong;
  }

  #historyOf(key: string): KeyHistory {
    let history = this.#keys.get(key);
    if (history === undefined) {
      history = { settled: undefined, open: new Set(), refused: new Set() };
      this.#keys.set(key, history);
    }
    return history;
  }
}
