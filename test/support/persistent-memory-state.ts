export { PersistentMemoryState, StateDisk } from "../../src/simulation/persistent-memory-state.ts";
