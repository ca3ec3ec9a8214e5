import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { checkPortsAreFree } from "../../../../src/cli/local-cluster/free-ports.ts";
import { listening, serveHealth } from "../fake-health.ts";

const check = (httpPort: number, peerPort: number) =>
  checkPortsAreFree([{ id: "n1", httpPort, peerPort }]);

describe("ports", () => {
  test("that are free are let be free", async () => {
    const free = await listening(createServer(), (port) => Promise.resolve(port));
    await check(free, free);
    await check(free, free);
  });

  test("that a Capstan node holds are named, with the node and how to end it", async () => {
    await listening(serveHealth(), async (port) => {
      const checking = check(port, port);
      await expect(checking).rejects.toMatchObject({
        code: "PORT_IN_USE",
        outcome: "not-applied",
        details: { ports: [port, port] },
      });
      await expect(checking).rejects.toThrow(`ports ${port} (HTTP of n1), ${port} (peers of n1)`);
      await expect(checking).rejects.toThrow(`Node n7 of a Capstan cluster answers on ${port}`);
      await expect(checking).rejects.toThrow("Ctrl-C");
    });
  });

  test("that another program holds are named, with the way to find it", async () => {
    const silent = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.resume().end("220 hello\r\n");
    });
    await listening(silent, async (port) => {
      const free = await listening(createServer(), (other) => Promise.resolve(other));
      const checking = check(free, port);
      await expect(checking).rejects.toThrow(`port ${port} (peers of n1) on 127.0.0.1 is in use`);
      await expect(checking).rejects.toThrow("Another program holds it");
      await expect(checking).rejects.toThrow("--http-port and --peer-port");
    });
  });
});
