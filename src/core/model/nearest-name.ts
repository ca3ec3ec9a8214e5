const MAX_EDITS = 2;

/** The name that was probably meant: equal but for case and separators, or two edits away. */
export function nearestName(word: string, names: readonly string[]): string | undefined {
  const plain = plainForm(word);
  let nearest: string | undefined;
  let fewest = Math.min(MAX_EDITS, Math.floor(plain.length / 2)) + 1;
  for (const name of names) {
    const edits = editsBetween(plain, plainForm(name));
    if (edits < fewest) {
      fewest = edits;
      nearest = name;
    }
  }
  return nearest;
}

/** Insertions, deletions and substitutions that make one word of the other (Levenshtein 1966). */
export function editsBetween(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_EDITS) return MAX_EDITS + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substituted = (previous[column - 1] as number) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const removed = (previous[column] as number) + 1;
      const inserted = (current[column - 1] as number) + 1;
      current.push(Math.min(substituted, removed, inserted));
    }
    previous = current;
  }
  return previous[b.length] as number;
}

export function plainForm(word: string): string {
  return word.replaceAll(/[_-]/g, "").toLowerCase();
}
