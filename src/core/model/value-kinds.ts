/** Buffers too; no other view of an ArrayBuffer. */
export function isBytes(value: ArrayBufferView): value is Uint8Array {
  return Object.prototype.toString.call(value) === "[object Uint8Array]";
}

/** Not `instanceof`: that fails for the Date of another realm, and is fooled by a prototype. */
export function isDate(value: object): value is Date {
  try {
    Date.prototype.getTime.call(value as Date);
    return true;
  } catch {
    return false;
  }
}

/** `Object.prototype` of whichever realm: the only one without a prototype that has its methods. */
export function isRootPrototype(prototype: unknown): boolean {
  const candidate = prototype as object;
  return Object.getPrototypeOf(candidate) === null && Object.hasOwn(candidate, "isPrototypeOf");
}

export function className(value: object): string {
  const maker = (value as { readonly constructor?: { readonly name?: unknown } }).constructor;
  return typeof maker?.name === "string" && maker.name !== "" ? maker.name : "an unnamed class";
}
