import { CapstanError } from "../core/model/errors.ts";

export const JSON_TYPE = "application/json";
export const BYTES_TYPE = "application/octet-stream";
/** Bodies in the canonical value encoding, for clients that want dates, bytes and bigints whole. */
export const CAPSTAN_TYPE = "application/vnd.capstan.value";
export const PROBLEM_TYPE = "application/problem+json";
export const EVENT_STREAM_TYPE = "text/event-stream";

export type ResponseType =
  | typeof JSON_TYPE
  | typeof BYTES_TYPE
  | typeof CAPSTAN_TYPE
  | typeof EVENT_STREAM_TYPE;

interface Preference {
  readonly type: string;
  readonly quality: number;
}

/**
 * The type to answer in: of those offered the one that `Accept` likes best, the earlier one where
 * it likes two equally.
 *
 * @throws CapstanError `NOT_REPRESENTABLE` if it takes none of them.
 */
export function negotiate<Type extends ResponseType>(
  accept: string | undefined,
  offered: readonly [Type, ...Type[]],
): Type {
  if (accept === undefined || accept.trim() === "") return offered[0];
  const preferences = accept.split(",").map(parsePreference);
  let best: Type | undefined;
  let bestQuality = 0;
  for (const type of offered) {
    const quality = qualityOf(type, preferences);
    if (quality > bestQuality) {
      best = type;
      bestQuality = quality;
    }
  }
  if (best !== undefined) return best;
  throw new CapstanError(
    "NOT_REPRESENTABLE",
    `no answer can be given as ${JSON.stringify(accept.slice(0, 100))}; accept ${offered.join(" or ")}`,
    { allowed: offered },
  );
}

/**
 * Refuses a body that would not be understood, before it is read.
 *
 * @throws CapstanError `UNSUPPORTED_MEDIA_TYPE`.
 */
export function checkContentType(contentType: string | undefined, encoding: string | undefined) {
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw unsupported(`a body with Content-Encoding ${JSON.stringify(encoding.slice(0, 60))}`, [
      "identity",
    ]);
  }
  if (contentType === undefined) return;
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  const known: readonly string[] = [JSON_TYPE, BYTES_TYPE, CAPSTAN_TYPE];
  const charset = parameters.find((each) => each.trim().startsWith("charset="))?.split("=")[1];
  const isUtf8 = charset === undefined || /^"?utf-?8"?$/.test(charset.trim());
  if (known.includes(type.trim()) && isUtf8) return;
  throw unsupported(`a body of type ${JSON.stringify(contentType.slice(0, 100))}`, known);
}

/** @throws CapstanError `UNSUPPORTED_MEDIA_TYPE` for a body that is one value of bytes. */
export function refuseBytes(contentType: string | undefined): void {
  if (contentType?.toLowerCase().split(";")[0]?.trim() !== BYTES_TYPE) return;
  throw unsupported(`an operation as ${BYTES_TYPE}`, [JSON_TYPE, CAPSTAN_TYPE]);
}

export function missingContentType(): CapstanError {
  return unsupported("a body without a Content-Type", [JSON_TYPE, BYTES_TYPE, CAPSTAN_TYPE]);
}

function unsupported(what: string, allowed: readonly string[]): CapstanError {
  return new CapstanError(
    "UNSUPPORTED_MEDIA_TYPE",
    `${what} is not understood; send ${allowed.join(" or ")}`,
    { allowed },
  );
}

/** The most specific preference that covers the type decides. */
function qualityOf(type: string, preferences: readonly Preference[]): number {
  const ranges = [type, `${type.split("/")[0]}/*`, "*/*"];
  for (const range of ranges) {
    const preference = preferences.find((each) => each.type === range);
    if (preference !== undefined) return preference.quality;
  }
  return 0;
}

function parsePreference(text: string): Preference {
  const [type = "", ...parameters] = text.split(";").map((each) => each.trim().toLowerCase());
  const quality = parameters.find((each) => each.startsWith("q="))?.slice(2);
  const parsed = quality === undefined ? 1 : Number(quality);
  return { type, quality: parsed >= 0 && parsed <= 1 ? parsed : 0 };
}
