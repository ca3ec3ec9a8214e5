export { PersistentMemoryDisk } from "../../src/simulation/persistent-memory-storage.ts";
