import { describe, expect, test } from "vitest";
import { isCapstanError } from "../../../../src/core/model/errors.ts";
import { parseTlsOptions, type TlsPart } from "../../../../src/core/model/tls-options.ts";

const PEM = "-----BEGIN CERTIFICATE-----";
const SERVER: readonly TlsPart[] = ["cert", "key"];

function refusalOf(input: unknown, needed: readonly TlsPart[]): string {
  try {
    parseTlsOptions(input, "http.tls", needed);
  } catch (error) {
    if (!isCapstanError(error)) throw error;
    expect([error.code, JSON.stringify(error.details)]).toEqual([
      "INVALID_CONFIGURATION",
      expect.not.stringContaining("s3cret"),
    ]);
    return error.message;
  }
  throw new Error("nothing was refused");
}

describe("options of TLS", () => {
  test("say where each part comes from, and what is not needed may be left out", () => {
    expect(parseTlsOptions(undefined, "http.tls", SERVER)).toBeUndefined();
    expect(parseTlsOptions({ cert: PEM, keyFile: "k" }, "http.tls", SERVER)).toEqual({
      cert: { option: "http.tls.cert", text: PEM },
      key: { option: "http.tls.keyFile", file: "k" },
      ca: undefined,
    });
    expect(parseTlsOptions({ caFile: "a" }, "tls", [])).toEqual({
      ...{ cert: undefined, key: undefined },
      ca: { option: "tls.caFile", file: "a" },
    });
  });

  test.each<[unknown, readonly TlsPart[], string]>([
    [{}, [], "http.tls is an empty object; allowed: an object such as { caFile }"],
    [{ certFile: "c" }, [], "http.tls.keyFile is missing; allowed: one of http.tls.key (PEM text)"],
    [{ keyFile: "k" }, [], "http.tls.certFile is missing"],
    [{ caFile: "a" }, SERVER, "http.tls.certFile is missing"],
    ["s3cret", SERVER, "http.tls is a text; allowed: an object such as { certFile, keyFile }"],
    [{ certFile: "c", key: "s3cret" }, SERVER, "http.tls.key is not PEM text"],
    [{ certFile: "c", keyFile: "k", pass: "s3cret" }, SERVER, "http.tls.pass is not an option"],
    [{ certFile: 1, keyFile: "k" }, SERVER, "http.tls.certFile is no text"],
  ])("%j where %j is needed is refused, without a secret", (input, needed, message) => {
    expect(refusalOf(input, needed)).toContain(message);
  });
});
