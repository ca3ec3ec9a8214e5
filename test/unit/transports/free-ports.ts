import { createServer } from "node:net";

/** Below the range from which the kernel takes ports for outgoing connections. */
const FIRST_PORT = 12_000;
const PORTS = 18_000;
const ATTEMPTS = 50;

/** A port of 127.0.0.1 that nobody listens on at this moment, drawn at random. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(host, port)) return port;
  }
  throw new Error(`no free port on ${host} in ${ATTEMPTS} draws`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
