/**
 * One node of the benchmark's cluster, in a process of its own: `store-process.ts NODE CONFIG
 * VALUE_BYTES`. Of one of them the load is asked, too.
 */
import { answerQuestions } from "./asked-process.ts";
import { openPlainStore, StoreLoad, type StoreQuestion } from "./store-load.ts";

const [node = "", configuration = "{}", valueBytes] = process.argv.slice(2);
const store = await openPlainStore(configuration, node);
const load = new StoreLoad(store, Number(valueBytes));
answerQuestions<StoreQuestion>((question) => load.answer(question));
process.send?.("listening");
process.on("disconnect", () => {
  void store.close({ drain: false }).then(() => process.exit(0));
});
