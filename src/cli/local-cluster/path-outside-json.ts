/** Where a value holds what a JSON file would lose or refuse (functions, class instances, …). */
export function pathOutsideJson(value: unknown, path = ""): string | undefined {
  if (value === null || ["string", "boolean", "undefined"].includes(typeof value)) return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : path;
  if (typeof value !== "object") return path;
  if (Array.isArray(value)) {
    return firstPath(value.map((each, index) => [`${path}[${index}]`, each] as const));
  }
  const prototype = Object.getPrototypeOf(value);
  // Another realm's plain object (a module loader's) has another Object.prototype.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain) return path;
  const fields = Object.entries(value);
  return firstPath(fields.map(([key, each]) => [path === "" ? key : `${path}.${key}`, each]));
}

function firstPath(fields: readonly (readonly [path: string, value: unknown])[]) {
  for (const [path, value] of fields) {
    const found = pathOutsideJson(value, path);
    if (found !== undefined) return found;
  }
  return undefined;
}
