import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { Readable } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import { SILENT_OBSERVER } from "../core/contracts/observer.ts";
import type { TlsSettings } from "../core/model/tls-options.ts";
import { SystemEnvironment } from "../core/store/system-environment.ts";
import { TlsIdentity } from "../tls/tls-identity.ts";
import { UnsentFailure } from "./fetch-failure.ts";

/** Less than a server keeps a connection that nobody uses: what it closes meanwhile must not be used. */
const IDLE_MS = 4_000;
/** Answers that have no body. */
const WITHOUT_BODY: readonly number[] = Object.freeze([204, 205, 304]);

/**
 * As much of `fetch` as the client needs, with certificates of its own: the global one takes none. Not a
 * byte of a request is sent before the server's certificate was found good.
 */
export class TlsFetch {
  readonly #identity: TlsIdentity;
  readonly #agent: Agent;

  /** Rejects with `INVALID_CONFIGURATION` where the files are of no use. */
  static async load(settings: TlsSettings): Promise<TlsFetch> {
    const owner = { what: "the client" };
    const clock = new SystemEnvironment();
    return new TlsFetch(await TlsIdentity.load(owner, settings, clock, SILENT_OBSERVER));
  }

  private constructor(identity: TlsIdentity) {
    this.#identity = identity;
    this.#agent = new Agent({ keepAlive: true, timeout: IDLE_MS });
    this.#agent.createConnection = (options) =>
      connect({ ...options, secureContext: this.#identity.useContext() } as object);
  }

  async fetch(url: string, init: RequestInit): Promise<Response> {
    const message = await this.#send(url, init);
    const { statusCode = 0 } = message;
    const headers = new Headers();
    for (const [name, value = ""] of Object.entries(message.headers)) {
      for (const each of [value].flat()) headers.append(name, each);
    }
    const hasBody = !WITHOUT_BODY.includes(statusCode);
    if (!hasBody) message.resume();
    const body = hasBody ? (Readable.toWeb(message) as ReadableStream<Uint8Array>) : null;
    return new Response(body, { status: statusCode, headers });
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(url: string, { method, headers, body, signal }: RequestInit): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const call = request(url, {
        agent: this.#agent,
        method: method ?? "GET",
        headers: headers as Record<string, string>,
        ...(signal == null ? {} : { signal }),
      });
      let isVerified = false;
      const send = (): void => {
        isVerified = true;
        if (body == null) call.end();
        else call.end(body as Uint8Array);
      };
      call.once("socket", (socket) => {
        if (call.reusedSocket) send();
        else (socket as TLSSocket).once("secureConnect", send);
      });
      call.once("response", resolve);
      call.on("error", (error: NodeJS.ErrnoException) => {
        const isUnsent = !isVerified || isOfCertificate(error);
        const cause = isUnsent ? new UnsentFailure(error) : error;
        reject(new TypeError("fetch failed", { cause }));
      });
    });
  }
}

/**
 * With TLS 1.3 a client learns only after its first words that the server does not take its certificate,
 * or wants one: these were not read.
 */
function isOfCertificate({ message }: Error): boolean {
  return /\balert (.* )?certificate\b|\balert unknown ca\b/.test(message);
}
