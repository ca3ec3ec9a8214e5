import { connect, type Socket } from "node:net";

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape are looked into
  readonly json: any;
}

/** A request through `fetch`, and its answer read whole. */
export async function request(url: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(url, init);
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}

export function putJson(url: string, body: string, headers: Record<string, string> = {}) {
  return request(url, {
    method: "PUT",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
}

/** Opens a connection and writes `bytes`; the other end is left to the caller. */
export function open(port: number, bytes: string | Uint8Array): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(bytes);
  return socket;
}

/** Everything that comes back until the server ends the connection. */
export function readToEnd(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}

/** One raw request on a connection of its own. `Connection: close` is added. */
export async function raw(port: number, head: string, body = ""): Promise<Reply> {
  const text = `${head.trim().replaceAll("\n", "\r\n")}\r\nConnection: close\r\n\r\n${body}`;
  return parseReply(await readToEnd(open(port, Buffer.from(text, "latin1"))));
}

export function parseReply(text: string): Reply {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [statusLine = "", ...lines] = head.split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const body = rest.join("\r\n\r\n");
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    json = undefined;
  }
  return { status: Number(statusLine.split(" ")[1]), headers, text: body, json };
}

/** Waits for a condition that the test knows will come. */
export async function until(condition: () => boolean): Promise<void> {
  for (let count = 0; count < 2_000; count++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("the condition did not come true within ten seconds");
}
