import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What nothing but weak references hold is gone. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}
