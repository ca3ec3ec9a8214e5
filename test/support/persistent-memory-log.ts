export { LogDisk, PersistentMemoryLog } from "../../src/simulation/persistent-memory-log.ts";
