import { type LinkType, startEcho } from "./transport-link.ts";

const [type, ...addresses] = process.argv.slice(2);
await startEcho(type as LinkType, addresses);
process.send?.("ready");
process.on("disconnect", () => process.exit(0));
