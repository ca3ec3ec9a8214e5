/** One node of the benchmark's cluster, in a process of its own: `store-process.ts NODE CONFIG`. */
import { openStore } from "capstan";

const [node, configuration] = process.argv.slice(2);
const store = await openStore(JSON.parse(configuration ?? "{}"), { node: node ?? "" });
process.send?.("listening");
process.on("disconnect", () => {
  void store.close({ drain: false }).then(() => process.exit(0));
});
