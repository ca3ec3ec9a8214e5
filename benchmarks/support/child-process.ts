import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * A process of the benchmark's own that ends with it; settles at its first message. What is loaded
 * before TypeScript is, as JavaScript, is there in half the time.
 */
export function startChild(
  script: URL,
  args: readonly string[],
  loadedFirst: readonly string[] = [],
): Promise<{ readonly child: ChildProcess; readonly message: unknown }> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(script), [...args], {
      execArgv: [...loadedFirst, "tsx"].flatMap((each) => ["--import", each]),
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${script} ended with ${code}`)));
    child.once("message", (message) => {
      child.removeAllListeners("exit");
      resolve({ child, message });
    });
  });
}

export function stopChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.disconnect();
  });
}
