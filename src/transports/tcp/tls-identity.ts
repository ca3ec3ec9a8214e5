import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Environment } from "../../core/contracts/environment.ts";
import type { Observer } from "../../core/contracts/observer.ts";
import { invalidConfiguration } from "../../core/model/configuration-problems.ts";
import type { TextSource, TlsSettings } from "./tls-options.ts";

/** What a server or a client of TLS is made with. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly minVersion: "TLSv1.3";
}

/** Files are read again for a connection that is made when they were read longer ago than this. */
export const RELOAD_AFTER_MS = 10_000;

/** A node's id stands in a certificate as it is: no pattern that would fit it. */
const EXACTLY = Object.freeze({
  ...({ subject: "never", wildcards: false, partialWildcards: false } as const),
  ...{ multiLabelWildcards: false, singleLabelSubdomains: false },
});

/**
 * The certificate with which this node speaks, and the authority by which it knows its peers. A file
 * that was replaced is used from the next connections on. One that is spoilt is told in the log, and
 * what was read before stays.
 */
export class TlsIdentity {
  readonly #self: string;
  readonly #settings: TlsSettings;
  readonly #environment: Environment;
  readonly #observer: Observer;
  #material: TlsMaterial;
  #context: SecureContext;
  #readAtMs: number;
  #isReading = false;
  #lastFault: string | undefined;
  /** Set by the gate of this node, which needs to be told. */
  onRenewed: (material: TlsMaterial) => void = () => undefined;

  /** Rejects with `INVALID_CONFIGURATION` where peers would not take this node at its word. */
  static async load(
    self: string,
    settings: TlsSettings,
    environment: Environment,
    observer: Observer,
  ): Promise<TlsIdentity> {
    const material = await readMaterial(settings);
    checkMaterial(material, settings, self, environment.wallMs());
    return new TlsIdentity(self, settings, environment, observer, material);
  }

  private constructor(
    self: string,
    settings: TlsSettings,
    environment: Environment,
    observer: Observer,
    material: TlsMaterial,
  ) {
    this.#self = self;
    this.#settings = settings;
    this.#environment = environment;
    this.#observer = observer;
    this.#material = material;
    this.#context = createSecureContext(material);
    this.#readAtMs = environment.monotonicMs();
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** For a connection that is made now. */
  useContext(): SecureContext {
    this.reloadIfOld();
    return this.#context;
  }

  reloadIfOld(): void {
    const nowMs = this.#environment.monotonicMs();
    if (this.#isReading || nowMs - this.#readAtMs < RELOAD_AFTER_MS) return;
    this.#isReading = true;
    void this.#reload().finally(() => {
      this.#isReading = false;
      this.#readAtMs = this.#environment.monotonicMs();
    });
  }

  async #reload(): Promise<void> {
    try {
      const material = await readMaterial(this.#settings);
      const { cert, key, ca } = this.#material;
      if (material.cert === cert && material.key === key && material.ca === ca) return;
      checkMaterial(material, this.#settings, this.#self, this.#environment.wallMs());
      this.#context = createSecureContext(material);
      this.#material = material;
      this.#lastFault = undefined;
      this.onRenewed(material);
      this.#observer.log("info", "the certificate of the transport was renewed", {});
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason === this.#lastFault) return;
      this.#lastFault = reason;
      const text =
        "the certificate of the transport could not be read again: the earlier one stays";
      this.#observer.log("warn", text, { reason });
    }
  }
}

/** Whether the other end's certificate, which the authority has signed, is of that node. */
export function isCertified(socket: Socket, node: string): boolean {
  if (!(socket instanceof TLSSocket)) return false;
  return socket.getPeerX509Certificate()?.checkHost(node, EXACTLY) === node;
}

async function readMaterial({ cert, key, ca }: TlsSettings): Promise<TlsMaterial> {
  const texts = await Promise.all([cert, key, ca].map(readSource));
  const [certText, keyText, caText] = texts as [string, string, string];
  return { cert: certText, key: keyText, ca: caText, minVersion: "TLSv1.3" };
}

async function readSource({ option, text, file }: TextSource): Promise<string> {
  if (file === undefined) return text ?? "";
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = `cannot be read (${code})`;
    const allowed = ["the path of a PEM file that this process may read"];
    throw invalidConfiguration([{ path: option, value: file, allowed, reason }]);
  }
}

function checkMaterial(
  { cert, key, ca, minVersion }: TlsMaterial,
  settings: TlsSettings,
  self: string,
  wallMs: number,
): void {
  const certificate = parsed(
    settings.cert,
    "a certificate in PEM",
    () => new X509Certificate(cert),
  );
  const privateKey = parsed(settings.key, "a private key in PEM, not encrypted", () =>
    createPrivateKey(key),
  );
  parsed(settings.ca, "one certificate in PEM, or several", () => new X509Certificate(ca));
  if (!certificate.checkPrivateKey(privateKey)) {
    refuse(settings.key, "is not the key of the certificate", "the key that the certificate is of");
  }
  if (certificate.checkHost(self, EXACTLY) !== self) {
    const names = certificate.subjectAltName ?? "nothing";
    const allowed = `a certificate with the subject alternative name DNS:${self}`;
    refuse(settings.cert, `is of ${names}, and not of this node`, allowed);
  }
  if (!isSigned(certificate, certificatesOf(cert), certificatesOf(ca))) {
    refuse(
      settings.cert,
      `is not signed by ${settings.ca.option}`,
      "one that this authority signed",
    );
  }
  if (Date.parse(certificate.validTo) <= wallMs) {
    refuse(settings.cert, `ran out on ${certificate.validTo}`, "a certificate that is valid");
  }
  parsed(settings.cert, "what TLS takes", () => createSecureContext({ cert, key, ca, minVersion }));
}

/** Over the certificates in between that stand behind it in its file. */
function isSigned(
  certificate: X509Certificate,
  between: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): boolean {
  let current: X509Certificate | undefined = certificate;
  for (let steps = 0; current !== undefined && steps <= between.length; steps += 1) {
    const signed: X509Certificate = current;
    const isIssuer = (each: X509Certificate): boolean =>
      signed.checkIssued(each) && signed.verify(each.publicKey);
    if (authorities.some(isIssuer)) return true;
    current = between.find(isIssuer);
  }
  return false;
}

function certificatesOf(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

function parsed<T>(source: TextSource, allowed: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const { message } = error as Error;
    return refuse(source, `cannot be used (${message})`, allowed);
  }
}

function refuse({ option, file }: TextSource, reason: string, allowed: string): never {
  throw invalidConfiguration([{ path: option, value: file, allowed: [allowed], reason }]);
}
