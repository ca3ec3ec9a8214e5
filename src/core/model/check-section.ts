import type { z } from "zod";
import { type ConfigurationProblems, joinPath } from "./configuration-problems.ts";
import { nearestName } from "./nearest-name.ts";
import { isPlainObject } from "./plain-object.ts";

type Issues = readonly z.core.$ZodIssue[];

/**
 * What `schema` makes of a section whose fields are all optional. Fields that are wrong are
 * reported and left out, so that one run finds the problems of all the others.
 */
export function checkSection<T>(
  schema: z.ZodType<T>,
  section: unknown,
  path: string,
  problems: ConfigurationProblems,
): T {
  const given = section === undefined ? {} : section;
  // A Map or an instance of a class has no fields that zod would miss: it is refused as a whole.
  const result = schema.safeParse(isPlainObject(given) ? given : null);
  if (result.success) return result.data;
  const { issues } = result.error;
  reportIssues(issues, given, path, problems);
  const wrong = new Set(issues.flatMap(fieldsOf));
  const fields = isPlainObject(given) ? Object.entries(given) : [];
  const rest = fields.filter(([field]) => !wrong.has(field));
  return schema.parse(Object.fromEntries(rest));
}

export function reportIssues(
  issues: Issues,
  given: unknown,
  path: string,
  problems: ConfigurationProblems,
): void {
  for (const issue of issues) {
    const steps = issue.path.map(String);
    if (issue.code === UNKNOWN) {
      const names = issue.message.split(", ");
      for (const field of issue.keys) {
        reportUnknownField(
          joinPath(path, ...steps, field),
          valueAt(given, [...steps, field]),
          names,
          problems,
        );
      }
    } else {
      const value = valueAt(given, steps);
      problems.add({ path: joinPath(path, ...steps), value, allowed: [issue.message] });
    }
  }
}

export function reportUnknownField(
  path: string,
  value: unknown,
  names: readonly string[],
  problems: ConfigurationProblems,
): void {
  const meant = nearestName(path.slice(path.lastIndexOf(".") + 1), names);
  const reason = `is no field here${meant === undefined ? "" : `, perhaps ${meant} is meant`}`;
  problems.add({ path, value, allowed: names, reason });
}

const UNKNOWN = "unrecognized_keys";

function fieldsOf(issue: Issues[number]): readonly string[] {
  return issue.code === UNKNOWN && issue.path.length === 0 ? issue.keys : [String(issue.path[0])];
}

function valueAt(given: unknown, steps: readonly string[]): unknown {
  return steps.reduce<unknown>(
    (value, step) => (value as Readonly<Record<string, unknown>> | undefined)?.[step],
    given,
  );
}
