import { basename, dirname } from "node:path";
import type { RandomSource } from "../core/contracts/environment.ts";
import type { Disk, DiskCallback, DiskDone, DiskFile } from "../storage/disk/disk.ts";
import { SeededRandom } from "./seeded-random.ts";
import { type CutEffect, SimulatedFileContent } from "./simulated-file.ts";
import { type KnownText, knownText, TRACE, type Trace } from "./trace.ts";
import type { VirtualTime } from "./virtual-time.ts";

export type DiskOperation =
  | "list"
  | "makeDirectory"
  | "syncDirectory"
  | "rename"
  | "remove"
  | "open"
  | "create"
  | "size"
  | "read"
  | "write"
  | "sync"
  | "close";

export interface SimulatedDiskOptions {
  readonly time: VirtualTime;
  readonly seed?: number;
  /** Of each operation, drawn evenly from 0 to twice this. Default 0.05 ms. */
  readonly meanLatencyMs?: number;
  /** Is told of everything that changes the disk. Default: nobody is. */
  readonly traced?: TracedMachine;
}

/** A trace, and the number of the machine in it. */
export interface TracedMachine {
  readonly trace: Trace;
  readonly machine: number;
}

/** A folder: names as processes see them, and as they are on the disk. */
interface SimulatedFolder {
  readonly seen: Map<string, SimulatedFileContent>;
  stable: Map<string, SimulatedFileContent>;
}

/** Who hears the disk's answers: at once, later, or never. */
export interface DiskProcess {
  input(callback: () => void): void;
}

const ALWAYS_RUNNING: DiskProcess = Object.freeze({
  input: (callback: () => void) => callback(),
});

interface Fault {
  readonly operation: DiskOperation;
  readonly code: string;
  /** Operations of this kind that still succeed. */
  after: number;
}

/**
 * A disk under virtual time, deterministic in its seed. It outlives the processes that use it: each
 * has a `connect()` of its own, which is dead once `kill` or `cutPower` was called: its calls do
 * nothing, and what was under way is never answered.
 */
export class SimulatedDisk {
  readonly #time: VirtualTime;
  readonly #random: RandomSource;
  readonly #traced: TracedMachine | undefined;
  readonly #folders = new Map<string, SimulatedFolder>([
    ["/", { seen: new Map(), stable: new Map() }],
  ]);
  readonly #faults: Fault[] = [];
  #connection: SimulatedConnection | undefined;
  #newestFile: SimulatedFileContent | undefined;
  #newestEnd = 0;
  /** Mean latency in milliseconds; a test changes it to make the disk slow. */
  meanLatencyMs: number;
  /** Operations of this kind answer only when it is taken off again. */
  stalled: DiskOperation | undefined;
  readonly #stalledCalls: (() => void)[] = [];
  /** Bytes that all files may have together; more is `ENOSPC`. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** How often each operation was called. */
  readonly counts = new Map<DiskOperation, number>();
  openFiles = 0;

  constructor(options: SimulatedDiskOptions) {
    this.#time = options.time;
    this.#random = new SeededRandom(options.seed ?? 1, "disk");
    this.meanLatencyMs = options.meanLatencyMs ?? 0.05;
    this.#traced = options.traced;
  }

  /** The disk as the next process sees it. The one before must be gone. */
  connect(process: DiskProcess = ALWAYS_RUNNING): Disk {
    this.kill();
    this.#connection = new SimulatedConnection(this, process);
    return this.#connection;
  }

  /** Another disk with what is on stable storage here, as somebody copies a folder. */
  copy(): SimulatedDisk {
    const copy = new SimulatedDisk({
      time: this.#time,
      meanLatencyMs: this.meanLatencyMs,
      ...(this.#traced && { traced: this.#traced }),
    });
    for (const [path, { stable }] of this.#folders) {
      if (path !== "/") copy.makeFolder(path);
      for (const [name, content] of stable) {
        copy.put(path === "/" ? `/${name}` : `${path}/${name}`, content.stableBytes());
      }
    }
    return copy;
  }

  /** The process is gone; what it wrote is in the system's memory. */
  kill(): void {
    this.#connection?.die();
    this.#connection = undefined;
    this.openFiles = 0;
    this.#stalledCalls.length = 0;
  }

  /** The process is gone, and what was not synced is kept, lost or mixed; names likewise. */
  cutPower(effect: CutEffect = "lose"): void {
    this.kill();
    for (const folder of this.#folders.values()) {
      const names = new Set([...folder.seen.keys(), ...folder.stable.keys()]);
      for (const name of names) this.#settleName(folder, name, effect);
      for (const content of new Set(folder.seen.values())) content.cutPower(effect, this.#random);
    }
    this.#noteAll();
  }

  /** The operation fails once, after `after` more of its kind have succeeded. */
  failNext(
    operation: DiskOperation,
    code: "EIO" | "ENOSPC" | "EACCES" | "EMFILE",
    after = 0,
  ): void {
    this.#faults.push({ operation, code, after });
  }

  /** Faults that have not happened yet will not. */
  clearFaults(): void {
    this.#faults.length = 0;
  }

  /** Lets go what was stalled. */
  resume(): void {
    this.stalled = undefined;
    for (const call of this.#stalledCalls.splice(0)) call();
  }

  /** Paths of all files. */
  files(): string[] {
    return [...this.#folders].flatMap(([path, { seen }]) =>
      [...seen.keys()].map((name) => `${path}/${name}`),
    );
  }

  content(path: string): SimulatedFileContent {
    const content = this.#folders.get(dirname(path))?.seen.get(basename(path));
    if (content === undefined) throw new Error(`the simulated disk has no file ${path}`);
    return content;
  }

  /** Takes a file away, durably. */
  lose(path: string): void {
    for (const names of Object.values(this.#folders.get(dirname(path)) ?? {})) {
      (names as Map<string, SimulatedFileContent>).delete(basename(path));
    }
  }

  /** Puts a file there, durably: a copy that somebody made. */
  put(path: string, bytes: Uint8Array): void {
    const content = new SimulatedFileContent();
    content.write(bytes, 0);
    content.beginSync()();
    const folder = this.folder(dirname(path));
    folder.seen.set(basename(path), content);
    folder.stable.set(basename(path), content);
  }

  folder(path: string): SimulatedFolder {
    const folder = this.#folders.get(path);
    if (folder === undefined) throw systemError("ENOENT", path);
    return folder;
  }

  makeFolder(path: string): void {
    if (this.#folders.has(path)) throw systemError("EEXIST", path);
    if (!this.#folders.has(dirname(path))) throw systemError("ENOENT", path);
    this.#folders.set(path, { seen: new Map(), stable: new Map() });
  }

  /** Throws `ENOSPC` where the files would have more than fits. */
  reserve(content: SimulatedFileContent, end: number): void {
    const growth = Math.max(0, end - content.size);
    if (growth === 0) return;
    let used = 0;
    for (const { seen } of this.#folders.values()) {
      for (const { size } of seen.values()) used += size;
    }
    if (used + growth > this.capacityBytes) throw systemError("ENOSPC", "write");
  }

  /** Counts the call, and throws the fault that is due. */
  enter(operation: DiskOperation): void {
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
    if (this.#faults.length === 0) return;
    const at = this.#faults.findIndex((fault) => fault.operation === operation);
    const fault = this.#faults[at];
    if (fault === undefined) return;
    fault.after -= 1;
    if (fault.after >= 0) return;
    this.#faults.splice(at, 1);
    throw systemError(fault.code, operation);
  }

  /** Runs `answer` later, in the connection's lifetime. */
  later(operation: DiskOperation, connection: SimulatedConnection, answer: () => void): void {
    const run = (): void => {
      if (connection.isDead) return;
      if (this.stalled === operation) this.#stalledCalls.push(run);
      else connection.process.input(answer);
    };
    this.#time.setTimer(this.#random.fraction() * 2 * this.meanLatencyMs, run);
  }

  failSync(content: SimulatedFileContent): void {
    content.failSync(this.#random);
  }

  /** The file that a process has written to last. */
  get newestFile(): SimulatedFileContent | undefined {
    return this.#newestFile;
  }

  /** Where the last bytes end that were written to it. */
  get newestEnd(): number {
    return this.#newestEnd;
  }

  /** Files whose names, too, are on stable storage. */
  stableFiles(): readonly SimulatedFileContent[] {
    return [...this.#folders.values()].flatMap(({ stable }) => [...stable.values()]);
  }

  /** Bytes reach the file, as processes see it. */
  write(content: SimulatedFileContent, bytes: Uint8Array, position: number): void {
    this.#noteWrite(bytes, position);
    this.#newestFile = content;
    this.#newestEnd = position + bytes.length;
    content.write(bytes, position);
  }

  /** Something else was done to the disk: what, and to which file. */
  note(operation: DiskOperation, path: string): void {
    this.noteKnown(this.noteOf(operation, path));
  }

  /** What `note` would say, for `noteKnown`. */
  noteOf(operation: DiskOperation, path: string): KnownText {
    return knownText(`${this.#traced?.machine} ${operation} ${path}`);
  }

  noteKnown(text: KnownText): void {
    this.#traced?.trace.noteKnown(TRACE.disk, this.#time.nowMs, text);
  }

  #noteWrite(bytes: Uint8Array, position: number): void {
    const { trace, machine } = this.#traced ?? {};
    trace?.noteBytes(TRACE.diskWrite, this.#time.nowMs, position + (machine as number), bytes);
  }

  /** What a power cut has left. */
  #noteAll(): void {
    if (this.#traced === undefined) return;
    for (const [path, { seen }] of this.#folders) {
      for (const [name, content] of seen) {
        this.note("open", `${path}/${name}`);
        this.#noteWrite(content.bytes(), 0);
      }
    }
  }

  #settleName(folder: SimulatedFolder, name: string, effect: CutEffect): void {
    const isKept = effect === "keep" || (effect === "mix" && this.#random.fraction() < 0.5);
    const from = isKept ? folder.seen : folder.stable;
    const content = from.get(name);
    for (const names of [folder.seen, folder.stable]) {
      if (content === undefined) names.delete(name);
      else names.set(name, content);
    }
  }
}

class SimulatedConnection implements Disk {
  readonly #disk: SimulatedDisk;
  readonly process: DiskProcess;
  isDead = false;

  constructor(disk: SimulatedDisk, process: DiskProcess) {
    this.#disk = disk;
    this.process = process;
  }

  die(): void {
    this.isDead = true;
  }

  list(directory: string, done: DiskCallback<readonly string[]>): void {
    this.#answer("list", done, () => [...this.#disk.folder(directory).seen.keys()]);
  }

  makeDirectory(path: string, done: DiskDone): void {
    this.#change("makeDirectory", path, done, () => this.#disk.makeFolder(path));
  }

  syncDirectory(path: string, done: DiskDone): void {
    this.#change("syncDirectory", path, done, () => {
      const folder = this.#disk.folder(path);
      folder.stable = new Map(folder.seen);
    });
  }

  rename(from: string, to: string, done: DiskDone): void {
    this.#change("rename", `${from} ${to}`, done, () => {
      const content = this.#disk.content(from);
      this.#disk.folder(dirname(to)).seen.set(basename(to), content);
      this.#disk.folder(dirname(from)).seen.delete(basename(from));
    });
  }

  remove(path: string, done: DiskDone): void {
    this.#change("remove", path, done, () => {
      const isThere = this.#disk.folder(dirname(path)).seen.delete(basename(path));
      if (!isThere) throw systemError("ENOENT", path);
    });
  }

  open(path: string, done: DiskCallback<DiskFile>): void {
    this.#answer("open", done, () => {
      const content = this.#disk.folder(dirname(path)).seen.get(basename(path));
      if (content === undefined) throw systemError("ENOENT", path);
      return this.#file(path, content);
    });
  }

  create(path: string, done: DiskCallback<DiskFile>): void {
    this.#answer("create", done, () => {
      const { seen } = this.#disk.folder(dirname(path));
      if (seen.has(basename(path))) throw systemError("EEXIST", path);
      this.#disk.note("create", path);
      const content = new SimulatedFileContent();
      seen.set(basename(path), content);
      return this.#file(path, content);
    });
  }

  #change(operation: DiskOperation, path: string, done: DiskDone, act: () => void): void {
    this.do(operation, done, () => {
      act();
      this.#disk.note(operation, path);
    });
  }

  /** Takes effect when it answers: until then a crash undoes it. */
  do(operation: DiskOperation, done: DiskDone, act: () => void): void {
    this.#disk.later(operation, this, () => {
      let failure: Error | undefined;
      try {
        this.#disk.enter(operation);
        act();
      } catch (error) {
        failure = error as Error;
      }
      done(failure);
    });
  }

  #answer<Result>(operation: DiskOperation, done: DiskCallback<Result>, act: () => Result): void {
    this.#disk.later(operation, this, () => {
      let result: Result;
      try {
        this.#disk.enter(operation);
        result = act();
      } catch (error) {
        return done(error as Error, undefined);
      }
      done(undefined, result);
    });
  }

  #file(path: string, content: SimulatedFileContent): DiskFile {
    const disk = this.#disk;
    const synced = disk.noteOf("sync", path);
    disk.openFiles += 1;
    return {
      path,
      size: (done) => this.#answer("size", done, () => content.size),
      read: (into, position, done) =>
        this.#answer("read", done, () => content.read(into, position)),
      write: (bytes, position, done) => this.#write(content, bytes, position, done),
      writeNow: (bytes, position) => {
        if (this.isDead) return;
        disk.enter("write");
        disk.reserve(content, position + bytes.length);
        disk.write(content, bytes, position);
      },
      sync: (done) => this.#sync(synced, content, done),
      close: (done) =>
        this.do("close", done, () => {
          disk.openFiles -= 1;
        }),
    };
  }

  /** Reaches the file in two parts, so that a killed process may have written half of it. */
  #write(content: SimulatedFileContent, bytes: Uint8Array, position: number, done: DiskDone): void {
    const half = Math.floor(bytes.length / 2);
    this.#disk.later("write", this, () => {
      try {
        this.#disk.enter("write");
        this.#disk.reserve(content, position + bytes.length);
        this.#disk.write(content, bytes.subarray(0, half), position);
      } catch (error) {
        return done(error as Error);
      }
      this.#disk.later("write", this, () => {
        this.#disk.write(content, bytes.subarray(half), position + half);
        done(undefined);
      });
    });
  }

  #sync(synced: KnownText, content: SimulatedFileContent, done: DiskDone): void {
    const settle = content.beginSync();
    this.#disk.later("sync", this, () => {
      try {
        this.#disk.enter("sync");
      } catch (error) {
        this.#disk.failSync(content);
        return done(error as Error);
      }
      settle();
      this.#disk.noteKnown(synced);
      done(undefined);
    });
  }
}

function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${what}`), { code });
}
