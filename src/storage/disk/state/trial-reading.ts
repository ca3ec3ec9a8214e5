import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { CapstanError } from "../../../core/model/errors.ts";

/** Reads every byte that can be reached, both ways: from key to key, and from the root. Exit code 3: LMDB says that the file is damaged. */
const SCRIPT = `
const [lmdbPath, statePath] = process.argv.slice(1);
const { open } = require(lmdbPath);
const exhausted = [-30792, -30791, -30790, -30789, -30785];
const saysDamage = ({ code }) =>
  typeof code !== "number" || (code >= -30799 && code <= -30779 && !exhausted.includes(code));
try {
  const database = open({
    path: statePath, noSubdir: false, encoding: "binary", keyEncoding: "binary", cache: false,
  });
  for (const { key } of database.getRange({})) database.getBinaryFast(key);
  database.getStats();
  process.exit(0);
} catch (error) {
  process.stderr.write(String(error && error.message));
  process.exit(saysDamage(error) ? 3 : 1);
}
`;

const DAMAGE_EXIT_CODE = 3;
/** How a process dies of what a damaged file makes it do. */
const CRASH_SIGNALS: readonly NodeJS.Signals[] = Object.freeze([
  "SIGSEGV",
  "SIGBUS",
  "SIGABRT",
  "SIGILL",
  "SIGFPE",
  "SIGTRAP",
]);
const TIMEOUT_MS = 600_000;
const MAX_MESSAGE_CHARACTERS = 500;

/**
 * Has another process read the state file through, because a damaged one can crash whoever does.
 * Answers what is wrong with it, or undefined.
 *
 * @throws CapstanError `STORE_FAILED` where it cannot be told: the process could not be started, was
 * killed, or took too long. Good data is never given up for that.
 */
export function readOnTrial(path: string): Promise<string | undefined> {
  const lmdb = createRequire(import.meta.url).resolve("lmdb");
  return new Promise((resolve, reject) => {
    const unclear = (why: string): void => {
      const message = `the state in ${path} could not be verified: ${why}. With storage.verifyAtOpen false it is opened as it is`;
      reject(new CapstanError("STORE_FAILED", message));
    };
    const child = spawn(process.execPath, ["-e", SCRIPT, lmdb, path], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, NODE_OPTIONS: "" },
      timeout: TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    let message = "";
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      message = (message + text).slice(0, MAX_MESSAGE_CHARACTERS);
    });
    child.once("error", (error) => unclear(error.message));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(undefined);
      else if (code === DAMAGE_EXIT_CODE) resolve(`LMDB says: ${message}`);
      else if (signal !== null && CRASH_SIGNALS.includes(signal)) {
        resolve(`a process that read it died of ${signal}`);
      } else unclear(signal === null ? message : `the process that read it got ${signal}`);
    });
  });
}
