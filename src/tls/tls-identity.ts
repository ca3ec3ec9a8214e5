import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContext } from "node:tls";
import type { Environment } from "../core/contracts/environment.ts";
import type { Observer } from "../core/contracts/observer.ts";
import { invalidConfiguration } from "../core/model/configuration-problems.ts";
import type { TextSource, TlsSettings } from "../core/model/tls-options.ts";
import { isCertificateOf } from "./node-certificate.ts";

/** What a server or a client of TLS is made with. */
export interface TlsMaterial {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly minVersion: "TLSv1.3";
}

/** Whose certificate it is. */
export interface TlsOwner {
  /** In the log: "the transport". */
  readonly what: string;
  /** The certificate has to be of this node, and signed by the authority that its peers have, too. */
  readonly node?: string;
}

/** Files are read again for a connection that is made when they were read longer ago than this. */
export const RELOAD_AFTER_MS = 10_000;

type Clock = Pick<Environment, "monotonicMs" | "wallMs">;

/**
 * The certificate with which this end speaks, and the authority by which it knows others. A file
 * that was replaced is used from the next connections on. One that is spoilt is told in the log, and
 * what was read before stays.
 */
export class TlsIdentity {
  readonly #owner: TlsOwner;
  readonly #settings: TlsSettings;
  readonly #clock: Clock;
  readonly #observer: Pick<Observer, "log">;
  #material: TlsMaterial;
  #context: SecureContext;
  #readAtMs: number;
  #isReading = false;
  #lastFault: string | undefined;
  /** Set by a server, which needs to be told. */
  onRenewed: (material: TlsMaterial) => void = () => undefined;

  /** Rejects with `INVALID_CONFIGURATION` where others would not take this end at its word. */
  static async load(
    owner: TlsOwner,
    settings: TlsSettings,
    clock: Clock,
    observer: Pick<Observer, "log">,
  ): Promise<TlsIdentity> {
    const material = await readMaterial(settings);
    checkMaterial(material, settings, owner, clock.wallMs());
    return new TlsIdentity(owner, settings, clock, observer, material);
  }

  private constructor(
    owner: TlsOwner,
    settings: TlsSettings,
    clock: Clock,
    observer: Pick<Observer, "log">,
    material: TlsMaterial,
  ) {
    this.#owner = owner;
    this.#settings = settings;
    this.#clock = clock;
    this.#observer = observer;
    this.#material = material;
    this.#context = createSecureContext(material);
    this.#readAtMs = clock.monotonicMs();
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
    const nowMs = this.#clock.monotonicMs();
    if (this.#isReading || nowMs - this.#readAtMs < RELOAD_AFTER_MS) return;
    this.#isReading = true;
    void this.#reload().finally(() => {
      this.#isReading = false;
      this.#readAtMs = this.#clock.monotonicMs();
    });
  }

  async #reload(): Promise<void> {
    try {
      const material = await readMaterial(this.#settings);
      const { cert, key, ca } = this.#material;
      if (material.cert === cert && material.key === key && material.ca === ca) return;
      checkMaterial(material, this.#settings, this.#owner, this.#clock.wallMs());
      this.#context = createSecureContext(material);
      this.#material = material;
      this.#lastFault = undefined;
      this.onRenewed(material);
      this.#observer.log("info", `the certificate of ${this.#owner.what} was renewed`, {});
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason === this.#lastFault) return;
      this.#lastFault = reason;
      const text = `the certificate of ${this.#owner.what} could not be read again: the earlier one stays`;
      this.#observer.log("warn", text, { reason });
    }
  }
}

async function readMaterial({ cert, key, ca }: TlsSettings): Promise<TlsMaterial> {
  const [certText, keyText, caText] = await Promise.all([cert, key, ca].map(readSource));
  return {
    ...(certText === undefined ? {} : { cert: certText }),
    ...(keyText === undefined ? {} : { key: keyText }),
    ...(caText === undefined ? {} : { ca: caText }),
    minVersion: "TLSv1.3",
  };
}

async function readSource(source: TextSource | undefined): Promise<string | undefined> {
  if (source === undefined) return undefined;
  const { option, text, file } = source;
  if (file === undefined) return text;
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
  material: TlsMaterial,
  settings: TlsSettings,
  { node }: TlsOwner,
  wallMs: number,
): void {
  const { cert, key, ca } = material;
  if (ca !== undefined) {
    parsed(settings.ca, "one certificate in PEM, or several", () => new X509Certificate(ca));
  }
  if (cert !== undefined && key !== undefined) {
    const certificate = checkCertificate(cert, key, settings, wallMs);
    if (node !== undefined) checkNode(certificate, cert, ca ?? "", settings, node);
  }
  const source = settings.cert ?? settings.ca;
  parsed(source, "what TLS takes", () => createSecureContext(material));
}

function checkCertificate(
  cert: string,
  key: string,
  settings: TlsSettings,
  wallMs: number,
): X509Certificate {
  const certificate = parsed(
    settings.cert,
    "a certificate in PEM",
    () => new X509Certificate(cert),
  );
  const privateKey = parsed(settings.key, "a private key in PEM, not encrypted", () =>
    createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    refuse(settings.key, "is not the key of the certificate", "the key that the certificate is of");
  }
  if (Date.parse(certificate.validTo) <= wallMs) {
    refuse(settings.cert, `ran out on ${certificate.validTo}`, "a certificate that is valid");
  }
  return certificate;
}

/** What its peers would not let in has no use in starting. */
function checkNode(
  certificate: X509Certificate,
  cert: string,
  ca: string,
  settings: TlsSettings,
  node: string,
): void {
  if (!isCertificateOf(certificate, node)) {
    const names = certificate.subjectAltName ?? "nothing";
    const allowed = `a certificate with the subject alternative name DNS:${node}`;
    refuse(settings.cert, `is of ${names}, and not of this node`, allowed);
  }
  if (!isSigned(certificate, certificatesOf(cert), certificatesOf(ca))) {
    const reason = `is not signed by ${settings.ca?.option}`;
    refuse(settings.cert, reason, "one that this authority signed");
  }
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

function parsed<T>(source: TextSource | undefined, allowed: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const { message } = error as Error;
    return refuse(source, `cannot be used (${message})`, allowed);
  }
}

function refuse(source: TextSource | undefined, reason: string, allowed: string): never {
  const { option, file } = source ?? { option: "tls" };
  throw invalidConfiguration([{ path: option, value: file, allowed: [allowed], reason }]);
}
