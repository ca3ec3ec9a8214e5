export { SimulatedDisk } from "../../src/simulation/simulated-disk.ts";
