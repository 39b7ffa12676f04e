import type { z } from "zod";
import { nearest } from "../nearest.ts";
import type { Problem } from "../problem.ts";
import { definitionJsonSchema } from "./schema.ts";

/** zod's findings as Problems: each with its path in the definition, and for an unknown key the likeliest known one. */
export function schemaProblems(error: z.core.$ZodError): Problem[] {
  return error.issues.flatMap((issue) => toProblems(issue, []));
}

// --- internal ---

type Issue = z.core.$ZodIssue;

function toProblems(issue: Issue, parent: readonly PropertyKey[]): Problem[] {
  const path = [...parent, ...issue.path];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key));
  if (issue.code === "invalid_union") return unionProblems(issue, path);
  if (issue.code === "invalid_key") return issue.issues.flatMap((inner) => keyProblem(path, inner));
  return [{ code: "invalid-definition", what: `${subject(path)} ${verdict(issue)}`, where: { key: path.join(".") } }];
}

/** A value of a union is judged by the branch that it was meant for: an object by the object branch, else by the union's own words. */
function unionProblems(issue: Extract<Issue, { code: "invalid_union" }>, path: readonly PropertyKey[]): Problem[] {
  const meant = issue.errors.find((branch) => branch.length > 0 && branch.every((inner) => !isWrongType(inner)));
  if (meant) return meant.flatMap((inner) => toProblems(inner, path));
  return [{ code: "invalid-definition", what: `${subject(path)} ${issue.message}`, where: { key: path.join(".") } }];
}

function isWrongType(issue: Issue): boolean {
  return issue.path.length === 0 && ["invalid_type", "invalid_union", "invalid_value"].includes(issue.code);
}

function keyProblem(path: readonly PropertyKey[], issue: Issue): Problem[] {
  const name = String(path.at(-1));
  return [{ code: "invalid-definition", what: `"${name}" ${issue.message}`, where: { key: path.join(".") } }];
}

function unknownKey(path: readonly PropertyKey[], key: string): Problem {
  const known = knownKeys(path);
  const near = nearest(key, known);
  return {
    code: "unknown-key",
    what: `"${key}" is no key of ${path.length === 0 ? "a definition" : `"${path.join(".")}"`}`,
    where: { key: [...path, key].join(".") },
    mend: near ? `did you mean "${near}"?` : `the keys are ${known.join(", ")}`,
  };
}

/** Read from the JSON Schema, which stands for the same rules and can be walked. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  let node = definitionJsonSchema() as JsonSchema | undefined;
  for (const step of path) {
    const within: JsonSchema | undefined = objectBranch(node);
    const extra = within?.additionalProperties;
    node = within?.properties?.[String(step)] ?? (typeof extra === "object" ? extra : undefined);
  }
  return Object.keys(objectBranch(node)?.properties ?? {}).filter((key) => key !== "$schema");
}

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
}

function objectBranch(node: JsonSchema | undefined): JsonSchema | undefined {
  return node?.anyOf?.find((branch) => branch.properties) ?? node;
}

function subject(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "the definition" : `"${path.join(".")}"`;
}

/** Our own messages start with a verb; zod's stand after a colon. */
function verdict(issue: Issue): string {
  if (issue.code === "invalid_type") return `must be ${withArticle(issue.expected)}`;
  if (issue.code === "invalid_value")
    return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
  return /^(must|is) /.test(issue.message) ? issue.message : `is wrong: ${issue.message}`;
}

function withArticle(type: string): string {
  const words: Record<string, string> = {
    record: "an object",
    object: "an object",
    array: "a list",
    int: "a whole number",
  };
  return words[type] ?? `a ${type}`;
}
