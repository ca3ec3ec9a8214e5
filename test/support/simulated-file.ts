export type { CutEffect } from "../../src/simulation/simulated-file.ts";
