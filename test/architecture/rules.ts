import {
  consoleOutsideTheCommandLine,
  noiseInSilentMachines,
  orderThatDependsOnLocale,
  realChance,
  realTime,
  signalsThatAreForgotten,
} from "./banned-words.ts";
import { unreachableFiles } from "./dead-files.ts";
import { codesNobodyRaises, differencesOfTheErrorsPage } from "./error-registry.ts";
import { importsAgainstTheArrows, importsWithoutTsExtension } from "./import-direction.ts";
import { buffersInExportedTypes, defaultExports, moduleState } from "./module-rules.ts";
import type { Finding, House, SourceFile } from "./project.ts";
import { longFiles, longFunctions } from "./sizes.ts";

export interface Rule {
  readonly name: string;
  readonly findings: (house: House) => Finding[];
}

/** The rules of the house, as far as a machine can see them. */
export const RULES: readonly Rule[] = Object.freeze<Rule[]>([
  { name: "every file parses", findings: ({ files }) => files.flatMap(syntaxErrors) },
  {
    name: "imports follow the arrows of the architecture",
    findings: ({ files }) => importsAgainstTheArrows(files),
  },
  {
    name: "relative imports name the source file",
    findings: ({ files }) => importsWithoutTsExtension(files),
  },
  { name: "nothing reads the real clock", findings: ({ files }) => realTime(files) },
  { name: "nothing draws real randomness", findings: ({ files }) => realChance(files) },
  { name: "silent machines are silent", findings: ({ files }) => noiseInSilentMachines(files) },
  {
    name: "only the command line prints",
    findings: ({ files }) => consoleOutsideTheCommandLine(files),
  },
  {
    name: "order does not depend on the locale",
    findings: ({ files }) => orderThatDependsOnLocale(files),
  },
  {
    name: "no signal is put together of others",
    findings: ({ files }) => signalsThatAreForgotten(files),
  },
  { name: "there is no default export", findings: ({ files }) => defaultExports(files) },
  { name: "modules hold no state", findings: ({ files }) => moduleState(sources(files)) },
  {
    name: "exported types say Uint8Array",
    findings: ({ files }) => buffersInExportedTypes(sources(files)),
  },
  { name: "files are not too long", findings: ({ files }) => longFiles(files) },
  { name: "functions are not too long", findings: ({ files }) => longFunctions(files) },
  {
    name: "every file is reached",
    findings: ({ files, roots }) => unreachableFiles(files, roots),
  },
  {
    name: "docs/errors.md is the registry of errors",
    findings: ({ registry, errorsPage }) => differencesOfTheErrorsPage(registry, errorsPage),
  },
  {
    name: "every code of the registry is raised",
    findings: ({ registry, files }) => codesNobodyRaises(registry, files),
  },
]);

function sources(files: readonly SourceFile[]): SourceFile[] {
  return files.filter((file) => file.path.startsWith("src/"));
}

function syntaxErrors({ path, syntaxErrors }: SourceFile): Finding[] {
  return syntaxErrors.map((message) => ({ path, line: 1, message }));
}
