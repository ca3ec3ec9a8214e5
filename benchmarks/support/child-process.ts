import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** A process of the benchmark's own that ends with it; settles at its first message. */
export function startChild(
  script: URL,
  args: readonly string[],
): Promise<{ readonly child: ChildProcess; readonly message: unknown }> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(script), [...args], {
      execArgv: ["--import", "tsx"],
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
