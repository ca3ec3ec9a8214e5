import { createServer } from "node:net";
import { CapstanError } from "../../core/model/errors.ts";
import { readSummary } from "../read-health.ts";
import { LOCAL_HOST, type PlannedNode } from "./plan-cluster.ts";

interface BusyPort {
  readonly port: number;
  /** `HTTP of n2` */
  readonly purpose: string;
  readonly code: string;
}

/**
 * Refuses to start while a port that a node needs is taken, naming it and whoever can free it.
 *
 * @throws CapstanError `PORT_IN_USE`.
 */
export async function checkPortsAreFree(nodes: readonly PlannedNode[]): Promise<void> {
  const busy: BusyPort[] = [];
  for (const { id, httpPort, peerPort } of nodes) {
    for (const [port, purpose] of [
      [httpPort, `HTTP of ${id}`],
      [peerPort, `peers of ${id}`],
    ] as const) {
      if (port === undefined) continue;
      const code = await listenFault(port);
      if (code !== undefined) busy.push({ port, purpose, code });
    }
  }
  const [first] = busy;
  if (first === undefined) return;
  const named = busy.map(({ port, purpose }) => `${port} (${purpose})`).join(", ");
  const noun = busy.length === 1 ? "port" : "ports";
  throw new CapstanError(
    "PORT_IN_USE",
    `${noun} ${named} on ${LOCAL_HOST} ${busy.length === 1 ? "is" : "are"} ${stateOf(first)}; no ` +
      `node was started. ${await adviceOn(busy, first)} Or choose others with --http-port and --peer-port.`,
    { retry: "never", details: { ports: busy.map(({ port }) => port) } },
  );
}

/** The error code with which listening fails; undefined where the port is free. */
function listenFault(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host: LOCAL_HOST, port, exclusive: true }, () => {
      server.close(() => resolve(undefined));
    });
  });
}

function stateOf({ code }: BusyPort): string {
  if (code === "EADDRINUSE") return "in use";
  return code === "EACCES" ? "reserved by the operating system" : `not to be had (${code})`;
}

async function adviceOn(busy: readonly BusyPort[], first: BusyPort): Promise<string> {
  if (first.code === "EACCES") return "Ports below 1024 need special rights.";
  for (const { port } of busy) {
    const health = await readSummary(`http://${LOCAL_HOST}:${port}`, { timeoutMs: 500 });
    if (health === undefined) continue;
    return (
      `Node ${health.node} of a Capstan cluster answers on ${port}: end it first, with Ctrl-C in ` +
      "the terminal where `capstan cluster`, `capstan start` or `npm start` runs."
    );
  }
  return `Another program holds it: find it with \`${holderCommand(first.port)}\` and end it.`;
}

function holderCommand(port: number): string {
  if (process.platform === "win32") return `netstat -ano | findstr :${port}`;
  return process.platform === "darwin"
    ? `lsof -nP -iTCP:${port} -sTCP:LISTEN`
    : `ss -ltnp 'sport = :${port}'`;
}
