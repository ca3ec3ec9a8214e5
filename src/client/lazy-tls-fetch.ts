import type { TlsSettings } from "../core/model/tls-options.ts";
import type { TlsFetch } from "./tls-fetch.ts";

/** A client without certificates of its own loads nothing of Node's TLS. */
export class LazyTlsFetch {
  readonly #settings: TlsSettings;
  #loading: Promise<TlsFetch> | undefined;

  constructor(settings: TlsSettings) {
    this.#settings = settings;
  }

  readonly fetch = async (url: unknown, init: RequestInit = {}): Promise<Response> => {
    const { signal } = init;
    this.#loading ??= this.#load();
    const loaded = await this.#loading;
    signal?.throwIfAborted();
    return loaded.fetch(String(url), init);
  };

  close(): void {
    void this.#loading?.then((loaded) => loaded.close()).catch(() => undefined);
    this.#loading = undefined;
  }

  async #load(): Promise<TlsFetch> {
    try {
      const { TlsFetch } = await import("./tls-fetch.ts");
      return await TlsFetch.load(this.#settings);
    } catch (error) {
      // Whoever calls next may find the files in order.
      this.#loading = undefined;
      throw error;
    }
  }
}
