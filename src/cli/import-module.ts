import { UsageError } from "./usage-error.ts";

/**
 * Any module by the same way, so that a fault of any has its line and column.
 *
 * @param file as the user calls it.
 */
export async function importModule(path: string, file: string): Promise<Record<string, unknown>> {
  // A compiler: loaded only where there is something to compile.
  const { createJiti } = await import("jiti");
  const jiti = createJiti(import.meta.url, { fsCache: false, interopDefault: false });
  try {
    return await jiti.import<Record<string, unknown>>(path);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [summary, place] = [message.split("\n")[0]?.trim(), /:(\d+):(\d+)\s*$/m.exec(message)];
    if (message.startsWith("ParseError:")) {
      const position = place ? ` (line ${place[1]}, column ${place[2]})` : "";
      const what = summary?.replace("ParseError: ", "");
      throw new UsageError(`${file} has a syntax error: ${what}${position}.`);
    }
    throw new UsageError(`${file} failed when it was loaded: ${summary}.`, { cause: error });
  }
}
