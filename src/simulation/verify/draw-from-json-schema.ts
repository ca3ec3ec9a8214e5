import { isPlainObject } from "../../core/model/plain-object.ts";

type Shape = Readonly<Record<string, unknown>>;

const MAX_DEPTH = 8;
/** Below this nothing comes that may be left out: a shape may hold itself. */
const SHALLOW = 3;
const SAMPLES_BY_FORMAT: Readonly<Record<string, (number: number) => string>> = Object.freeze({
  email: (number) => `v${number}@example.com`,
  uri: (number) => `https://example.com/v${number}`,
  uuid: (number) => `00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`,
  date: (number) => new Date(number * 86_400_000).toISOString().slice(0, 10),
  "date-time": (number) => new Date(number * 1_000).toISOString(),
  ipv4: (number) => `10.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`,
});

/**
 * A value of the shape, another one for each number as far as the shape allows. What it does not
 * know (patterns, conditions) it does not heed: whoever draws has to ask the schema.
 */
export function drawFromJsonSchema(shape: Shape, number: number): unknown {
  return draw(shape, { number, root: shape, depth: 0 });
}

interface Drawn {
  readonly number: number;
  readonly root: Shape;
  readonly depth: number;
}

function draw(shape: unknown, drawn: Drawn): unknown {
  if (!isPlainObject(shape) || drawn.depth > MAX_DEPTH) return drawn.number;
  const { number } = drawn;
  if ("const" in shape) return shape.const;
  if (Array.isArray(shape.enum)) return shape.enum[number % shape.enum.length];
  const choices = shape.anyOf ?? shape.oneOf;
  if (Array.isArray(choices) && choices.length > 0) {
    return draw(choices[number % choices.length], drawn);
  }
  if (typeof shape.$ref === "string") return draw(resolve(shape.$ref, drawn.root), deeper(drawn));
  if (Array.isArray(shape.allOf)) return drawAll(shape.allOf, drawn);
  const type = Array.isArray(shape.type) ? shape.type[number % shape.type.length] : shape.type;
  if (type === "string") return drawText(shape, number);
  if (type === "integer" || type === "number") return drawNumber(shape, number);
  if (type === "boolean") return number % 2 === 0;
  if (type === "null") return null;
  if (type === "array") return drawArray(shape, drawn);
  if (type === "object" || isPlainObject(shape.properties)) return drawObject(shape, drawn);
  return `v${number}`;
}

function deeper(drawn: Drawn): Drawn {
  return { ...drawn, depth: drawn.depth + 1 };
}

function drawText(shape: Shape, number: number): string {
  const { format, minLength, maxLength } = shape;
  const byFormat = typeof format === "string" ? SAMPLES_BY_FORMAT[format] : undefined;
  const text = byFormat?.(number) ?? `v${number}`;
  const padded = text.padEnd(boundOf(minLength, 0), "x");
  return padded.slice(0, Math.max(0, boundOf(maxLength, padded.length)));
}

function drawNumber(shape: Shape, number: number): number {
  const step = boundOf(shape.multipleOf, 1);
  const above = boundOf(shape.minimum, boundOf(shape.exclusiveMinimum, Number.MIN_SAFE_INTEGER));
  const below = boundOf(shape.maximum, boundOf(shape.exclusiveMaximum, Number.MAX_SAFE_INTEGER));
  const low =
    shape.minimum === undefined && shape.exclusiveMinimum !== undefined ? above + step : above;
  const high =
    shape.maximum === undefined && shape.exclusiveMaximum !== undefined ? below - step : below;
  const wanted = number * step;
  if (wanted >= low && wanted <= high) return wanted;
  const first = Math.ceil(low / step) * step;
  const count = Math.floor((high - first) / step) + 1;
  return count < 1 ? first : first + (number % count) * step;
}

function drawArray(shape: Shape, drawn: Drawn): readonly unknown[] {
  const prefix = Array.isArray(shape.prefixItems) ? shape.prefixItems : [];
  const isOpen = prefix.length === 0 && drawn.depth < SHALLOW;
  const length = Math.max(prefix.length, boundOf(shape.minItems, isOpen ? 1 : 0));
  const bounded = Math.min(length, boundOf(shape.maxItems, length));
  return Array.from({ length: bounded }, (_, at) => {
    const each = { ...deeper(drawn), number: shape.uniqueItems ? drawn.number + at : drawn.number };
    return draw(prefix[at] ?? shape.items, each);
  });
}

/** All that is required, and of the rest what the number says, so that absence is tried too. */
function drawObject(shape: Shape, drawn: Drawn): Readonly<Record<string, unknown>> {
  const properties = isPlainObject(shape.properties) ? Object.entries(shape.properties) : [];
  const required = Array.isArray(shape.required) ? shape.required : [];
  const present = properties.filter(
    ([name], at) =>
      required.includes(name) || (drawn.depth < SHALLOW && ((drawn.number >>> at) & 1) === 1),
  );
  const entries = present.map(([name, each]) => [name, draw(each, deeper(drawn))] as const);
  const others = shape.additionalProperties;
  if (properties.length === 0 && isPlainObject(others)) {
    entries.push(["key", draw(others, deeper(drawn))]);
  }
  return Object.fromEntries(entries);
}

function drawAll(shapes: readonly unknown[], drawn: Drawn): unknown {
  const parts = shapes.map((shape) => draw(shape, deeper(drawn)));
  return parts.every(isPlainObject) ? Object.assign({}, ...parts) : parts.at(-1);
}

/** `#/$defs/Name` of the same document. */
function resolve(reference: string, root: Shape): unknown {
  if (!reference.startsWith("#")) return undefined;
  const names = reference.slice(1).split("/").slice(1);
  return names.reduce<unknown>((at, name) => {
    const plain = name.replaceAll("~1", "/").replaceAll("~0", "~");
    return isPlainObject(at) ? at[plain] : undefined;
  }, root);
}

function boundOf(value: unknown, fallback: number): number {
  return typeof value === "number" && Number.isFinite(value) ? value : fallback;
}
