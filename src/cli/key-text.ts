/** A key on a line of its own fields: quoted where blanks or control characters would mislead. */
export function keyText(key: string): string {
  return /^[^\s"\p{C}]+$/u.test(key) ? key : JSON.stringify(key);
}
