import { expect, test } from "vitest";
import { readBootId } from "../../../../../src/storage/disk/directory/boot-id.ts";

test.runIf(process.platform === "linux")(
  "gives the same id each time while the machine runs",
  async () => {
    const first = await readBootId();
    expect(first).toMatch(/^[0-9a-f]{8}-/);
    expect(await readBootId()).toBe(first);
  },
);
