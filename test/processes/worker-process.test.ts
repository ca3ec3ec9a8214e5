import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { WorkerProcess, workOff } from "../../scripts/worker-process.ts";

const folder = mkdtempSync(join(tmpdir(), "capstan-worker-"));
afterAll(() => rmSync(folder, { recursive: true }));

function scriptOf(body: string): string {
  const script = join(folder, "worker.mjs");
  writeFileSync(script, `process.on("message", (order) => { ${body} });\n`);
  return script;
}

test("a worker answers order after order until the queue is empty", async () => {
  const script = scriptOf("process.send(order.seed * 2);");
  const worker = new WorkerProcess<{ seed: number }, number>({ script, hasTraces: false });
  const queue = [{ seed: 1 }, { seed: 2 }, { seed: 3 }];
  const answers: number[] = [];
  await workOff(worker, queue, (answer) => answers.push(answer));
  await worker.end();
  expect(answers).toEqual([2, 4, 6]);
  expect(queue).toEqual([]);
});

test.each([true, false])(
  "errors in a worker have traces where they are wanted: %s",
  async (has) => {
    const script = scriptOf("process.send(new Error('here').stack);");
    const worker = new WorkerProcess<object, string>({ script, hasTraces: has });
    const stack = await worker.ask({});
    await worker.end();
    expect(stack.includes("\n    at ")).toBe(has);
    expect(stack).toMatch(/^Error: here/);
  },
);

test("a worker that ends before it has answered fails what was asked, by its order", async () => {
  const script = scriptOf("process.exit(3);");
  const worker = new WorkerProcess<{ seed: number }, number>({ script, hasTraces: false });
  await expect(worker.ask({ seed: 7 })).rejects.toThrow(
    'the process that was asked {"seed":7} ended with 3',
  );
  await worker.end();
});
