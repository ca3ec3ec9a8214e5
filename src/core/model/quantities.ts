/** Names of units and how many of the smallest each is, largest first. */
export type Units = Readonly<Record<string, number>>;

const QUANTITY = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/;
/** `1.1 × 1000` and its like miss a whole number by rounding alone. */
const ROUNDING = 1e-9;

/** A whole number of the smallest unit, or undefined if `value` does not spell one. */
export function parseQuantity(value: unknown, units: Units): number | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : undefined;
  const [, digits, unit] = (typeof value === "string" && QUANTITY.exec(value)) || [];
  if (digits === undefined || unit === undefined || !Object.hasOwn(units, unit)) return undefined;
  const exact = Number(digits) * (units[unit] as number);
  const whole = Math.round(exact);
  return Math.abs(exact - whole) <= exact * ROUNDING && Number.isSafeInteger(whole)
    ? whole
    : undefined;
}

/** In the largest unit that needs no fraction. */
export function formatQuantity(quantity: number, units: Units): string {
  for (const [unit, factor] of Object.entries(units)) {
    if (quantity >= factor && quantity % factor === 0) return `${quantity / factor}${unit}`;
  }
  return String(quantity);
}
