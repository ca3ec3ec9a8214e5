import { CapstanError } from "../core/model/errors.ts";
import { decodePercent } from "./resource-path.ts";

/**
 * The fields of a query. A field that stands twice is refused: parsers disagree about which of
 * the two counts. The object has no prototype, so that no name is special.
 *
 * @throws CapstanError `INVALID_ARGUMENT`, naming the field.
 */
export function parseQuery(raw: string): Readonly<Record<string, string>> {
  const fields: Record<string, string> = Object.create(null);
  if (raw === "") return fields;
  for (const pair of raw.split("&")) {
    const equals = pair.indexOf("=");
    const name = decode(equals === -1 ? pair : pair.slice(0, equals), "a query field's name");
    if (name in fields) {
      throw new CapstanError("INVALID_ARGUMENT", `the query field ${quote(name)} stands twice`);
    }
    fields[name] = equals === -1 ? "" : decode(pair.slice(equals + 1), `the query field ${name}`);
  }
  return fields;
}

/** In a query, unlike in a path, a plus is a space. */
function decode(raw: string, what: string): string {
  return decodePercent(raw.replaceAll("+", "%20"), what, "INVALID_ARGUMENT");
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 60));
}
