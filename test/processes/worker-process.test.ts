import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { WorkerProcess, workOff } from "../../scripts/worker-process.ts";
import { Interruption } from "../../src/cli/interruption.ts";

const interruption = new Interruption(() => performance.now());
const folder = mkdtempSync(join(tmpdir(), "capstan-worker-"));
afterAll(() => rmSync(folder, { recursive: true }));

function scriptOf(body: string): string {
  const script = join(folder, "worker.mjs");
  writeFileSync(script, `process.on("message", (order) => { ${body} });\n`);
  return script;
}

test("a worker answers order after order until the queue is empty", async () => {
  const script = scriptOf("process.send(order.seed * 2);");
  const worker = new WorkerProcess<{ seed: number }, number>({
    script,
    hasTraces: false,
    interruption,
  });
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
    const worker = new WorkerProcess<object, string>({ script, hasTraces: has, interruption });
    const stack = (await worker.ask({}))?.answer as string;
    await worker.end();
    expect(stack.includes("\n    at ")).toBe(has);
    expect(stack).toMatch(/^Error: here/);
  },
);

test("a worker that ends before it has answered fails what was asked, by its order", async () => {
  const script = scriptOf("process.exit(3);");
  const worker = new WorkerProcess<{ seed: number }, number>({
    script,
    hasTraces: false,
    interruption,
  });
  await expect(worker.ask({ seed: 7 })).rejects.toThrow(
    'the process that was asked {"seed":7} ended with 3',
  );
  await worker.end();
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "a worker that %s ends is the wish to stop, though nobody else heard it",
  async (signal) => {
    const script = scriptOf(`process.kill(process.pid, "${signal}");`);
    const own = new Interruption(() => performance.now());
    const worker = new WorkerProcess<object, number>({
      script,
      hasTraces: false,
      interruption: own,
    });
    const answers: number[] = [];
    await workOff(worker, [{ seed: 1 }, { seed: 2 }], (answer) => answers.push(answer));
    expect({ cause: own.cause, answers }).toEqual({ cause: signal, answers: [] });
    expect(await worker.ask({ seed: 3 })).toBeUndefined();
    await worker.end();
  },
);

test("an answer is not waited for once the script is interrupted, and the worker can be ended", async () => {
  const script = scriptOf(
    "process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1e6);",
  );
  const own = new Interruption(() => performance.now());
  const worker = new WorkerProcess<object, number>({ script, hasTraces: false, interruption: own });
  const asked = worker.ask({});
  own.request("SIGINT");
  expect(await asked).toBeUndefined();
  await worker.end();
});

test("a worker that is gone when it is asked fails that by its order, and nothing else", async () => {
  const script = scriptOf("process.exit(3);");
  const worker = new WorkerProcess<object, number>({ script, hasTraces: false, interruption });
  await expect(worker.ask({ seed: 1 })).rejects.toThrow("ended with 3");
  await expect(worker.ask({ seed: 2 })).rejects.toThrow('asked {"seed":2} ended with 3');
});
