import { tcpTransport } from "../../src/transports/tcp/tcp-transport.ts";
import { startEcho } from "./transport-link.ts";

await startEcho(tcpTransport, {}, process.argv.slice(2));
process.send?.("ready");
process.on("disconnect", () => process.exit(0));
