import { readFileSync } from "node:fs";
import { getSystemErrorMessage } from "node:util";
import {
  findNodeAtLocation,
  getNodePath,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { type Place, type Problem, RouseError } from "../problem.ts";

/** A JSON file that knows where each of its values stands. */
export interface JsonFile {
  readonly file: string;
  readonly value: unknown;
  /** The place of the value at `path`, or of the nearest one around it. */
  place(path: readonly string[]): Place;
  /** A Problem for each key at or below `path` that stands there more than once: of its values JSON.parse takes the last, without a word. */
  duplicates(path: readonly string[]): Problem[];
}

/**
 * Reads strict JSON.
 * @throws {RouseError} "not-readable", or "not-json" with line and column of the first fault
 */
export function readJsonFile(file: string): JsonFile {
  const text = readText(file).replace(/^\uFEFF/, "");
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false });
  const first = errors[0];
  if (first || !root) {
    const fault = first ? sentence(printParseErrorCode(first.error)) : "it is empty";
    throw new RouseError({
      code: "not-json",
      what: `this file is no JSON: ${fault}`,
      where: { file, ...positionOf(text, first?.offset ?? 0) },
    });
  }
  return {
    file,
    value: getNodeValue(root),
    place: (path) => ({ file, ...positionOf(text, nearest(root, path).offset) }),
    duplicates: (path) =>
      repeatedAt(root, path).map((key) => ({
        code: "duplicate-key",
        what: `the key "${key.value}" stands here once more`,
        where: {
          file,
          ...positionOf(text, key.offset),
          key: getNodePath(key.parent!.children![1]!).slice(path.length).join("."),
        },
        mend: "keep one of them",
      })),
  };
}

/** Line and column from 1, and the line itself. */
export function positionOf(text: string, offset: number): { line: number; column: number; source: string } {
  const before = text.slice(0, offset).split("\n");
  const source = text.split("\n")[before.length - 1] ?? "";
  return { line: before.length, column: before.at(-1)!.length + 1, source: source.trimEnd() };
}

// --- internal ---

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw new RouseError(
      { code: "not-readable", what: `this file cannot be read: ${getSystemErrorMessage(errno)}`, where: { file } },
      { cause: error },
    );
  }
}

function repeatedAt(root: Node, path: readonly string[]): Node[] {
  const within = findNodeAtLocation(root, [...path]);
  const siblings = within?.parent?.parent ? repeatedIn(within.parent.parent) : [];
  return [...siblings.filter(({ value }) => value === path.at(-1)), ...repeatedBelow(within)];
}

function repeatedBelow(node: Node | undefined): Node[] {
  return node ? [...repeatedIn(node), ...(node.children ?? []).flatMap(repeatedBelow)] : [];
}

/** The nodes of the keys, not of their properties. */
function repeatedIn({ type, children = [] }: Node): Node[] {
  const keys = type === "object" ? children.map((property) => property.children![0]!) : [];
  return keys.filter(({ value }, index) => keys.findIndex((key) => key.value === value) < index);
}

function nearest(root: Node, path: readonly string[]): Node {
  for (let length = path.length; length > 0; length--) {
    const node = findNodeAtLocation(root, path.slice(0, length).map(asSegment));
    // The key, not its value: that is where the reader looks.
    if (node) return node.parent?.type === "property" ? node.parent : node;
  }
  return root;
}

const asSegment = (step: string): string | number => (/^\d+$/.test(step) ? Number(step) : step);

/** "CommaExpected" -> "comma expected". */
function sentence(code: string): string {
  return code
    .replace(/([a-z])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`)
    .toLowerCase();
}
