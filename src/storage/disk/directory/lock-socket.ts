import { connect, createServer, type Server } from "node:net";
import type { Environment } from "../../../core/contracts/environment.ts";
import { errorCode } from "../disk-calls.ts";

/** For an answer of the process that listens; one that is stopped gives none. */
const ANSWER_TIMEOUT_MS = 2_000;
const MAX_ANSWER_CHARACTERS = 20;

/** Tells everyone who connects the number of this process. Undefined if the address is taken. */
export function listenOn(address: string): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(`${process.pid}\n`, () => socket.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if (errorCode(error) === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => {
      // An accept that fails later changes nothing about who listens.
      server.on("error", () => undefined);
      server.unref();
      resolve(server);
    });
  });
}

export function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/** Who listens: a process by its number, one that does not say it, or nobody. */
export type Listener = number | "silent" | undefined;

/** Asks who listens on the address. */
export function listenerOn(address: string, environment: Environment): Promise<Listener> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(address);
    socket.setEncoding("utf8");
    const timer = environment.setTimer(ANSWER_TIMEOUT_MS, () => finish("silent"));
    const finish = (listener: Listener): void => {
      environment.clearTimer(timer);
      socket.destroy();
      resolve(listener);
    };
    socket.on("data", (text) => {
      answer += text;
      if (answer.length > MAX_ANSWER_CHARACTERS) finish("silent");
    });
    socket.on("end", () => finish(/^\d+\n$/.test(answer) ? Number(answer) : "silent"));
    socket.on("error", (error) => {
      const code = errorCode(error);
      finish(code === "ECONNREFUSED" || code === "ENOENT" ? undefined : "silent");
    });
  });
}
