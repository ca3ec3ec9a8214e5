import type { FastifyInstance, FastifyRequest } from "fastify";
import { CapstanError } from "../core/model/errors.ts";
import { MalformedBytesError } from "../core/model/malformed-bytes-error.ts";
import { decodeValue } from "../core/model/values.ts";
import { BYTES_TYPE, CAPSTAN_TYPE, JSON_TYPE } from "./media-types.ts";
import { parseStrictJson } from "./strict-json.ts";

/** Fields of a canonical body that carry the canonical bytes of a value of their own. */
const VALUE_FIELDS: readonly string[] = ["value", "operation"];

/**
 * Whatever the content type, a handler meets the same object: `{ value, context?, … }`. Raw bytes
 * are its `value`; in a canonical body the values are bytes within, so that a value may be as deep
 * and as large as the store allows, body around it or not.
 */
export function addBodyParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  add(app, JSON_TYPE, (bytes) => (bytes.length === 0 ? undefined : parseStrictJson(bytes)));
  add(app, BYTES_TYPE, (bytes) => ({ value: new Uint8Array(bytes) }));
  add(app, CAPSTAN_TYPE, (bytes) => (bytes.length === 0 ? undefined : parseCanonical(bytes)));
}

function add(app: FastifyInstance, type: string, parse: (bytes: Uint8Array) => unknown): void {
  app.addContentTypeParser(
    type,
    { parseAs: "buffer" },
    (_request: FastifyRequest, bytes: Buffer, done) => {
      let body: unknown;
      try {
        body = parse(bytes);
        refuseNull(body);
      } catch (error) {
        done(error as Error);
        return;
      }
      done(null, body);
    },
  );
}

/**
 * No route takes null for its body. Fastify hands it on as if nothing had been sent, so that it
 * would be taken for a body that was left out.
 */
function refuseNull(body: unknown): void {
  if (body !== null) return;
  throw new CapstanError("INVALID_ARGUMENT", "the body is null, which no route takes");
}

function parseCanonical(bytes: Uint8Array): unknown {
  const body = decodeCanonical(bytes, "the body");
  if (typeof body !== "object" || body === null) return body;
  const fields = body as Record<string, unknown>;
  for (const name of VALUE_FIELDS) {
    if (!Object.hasOwn(fields, name)) continue;
    fields[name] = decodeCanonical(fields[name], `the body's ${name}`);
  }
  return fields;
}

/** @throws CapstanError `INVALID_ARGUMENT`, which names `what`. */
export function decodeCanonical(bytes: unknown, what: string): unknown {
  if (!(bytes instanceof Uint8Array)) {
    throw new CapstanError("INVALID_ARGUMENT", `${what} has to be bytes of the canonical encoding`);
  }
  try {
    return decodeValue(bytes);
  } catch (error) {
    if (!(error instanceof MalformedBytesError)) throw error;
    throw new CapstanError(
      "INVALID_ARGUMENT",
      `${what} is not in the canonical encoding: ${error.message}`,
    );
  }
}
