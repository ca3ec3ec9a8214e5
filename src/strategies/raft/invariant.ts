/** What must hold whatever happens did not. The step is thrown away, and the machine with it. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

/**
 * @param formula what should have held, as the comments state it.
 * @param values what was found instead, in the order in which the formula names them.
 */
export function violated(formula: string, ...values: readonly (number | string)[]): never {
  throw new InvariantViolation(`${formula} does not hold: ${values.join(", ")}`);
}
