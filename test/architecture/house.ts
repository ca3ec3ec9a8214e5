import { existsSync, readFileSync } from "node:fs";
import { ERRORS } from "../../src/core/model/errors.ts";
import { rootsOf } from "./dead-files.ts";
import { ERRORS_PAGE_PATH } from "./error-registry.ts";
import { type House, listFiles, readProject, repositoryRoot } from "./project.ts";

/** This repository as it lies on disk. */
export function readHouse(): House {
  const manifest = JSON.parse(read("package.json"));
  const examples = listed("examples");
  return {
    files: readProject(["src", "benchmarks", "examples"].filter(isThere)),
    roots: {
      readers: readProject(["test"]),
      paths: [...rootsOf(manifest), ...examples],
    },
    registry: ERRORS,
    errorsPage: isThere(ERRORS_PAGE_PATH) ? read(ERRORS_PAGE_PATH) : "",
  };
}

function listed(folder: string): string[] {
  return isThere(folder) ? listFiles(folder) : [];
}

function isThere(path: string): boolean {
  return existsSync(repositoryRoot + path);
}

function read(path: string): string {
  return readFileSync(repositoryRoot + path, "utf8");
}
