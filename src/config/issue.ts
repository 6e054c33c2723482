/** What kind of problem it is, for programs. Codes are permanent. */
export type IssueCode =
  /** The file cannot be read. */
  | 'read'
  /** The file is not YAML, JSON or a module. */
  | 'syntax'
  /** A value of the wrong kind: text where a list belongs. */
  | 'type'
  /** A required key is not there. */
  | 'missing'
  | 'unknown-key'
  /** A value of the right kind that cannot be. */
  | 'value'
  /** A name that nothing has. */
  | 'reference'
  | 'duplicate'
  /** Things that cannot stand together. */
  | 'conflict'
  /** Warnings: allowed, but surely not meant. */
  | 'unreachable'
  | 'unused'
  | 'ineffective'
  | 'risky';

/** Keys and indexes from the root of a configuration to one place in it. */
export type Path = readonly (string | number)[];

/** A problem by its place in the configuration, before it is known which line that is. */
export interface Problem {
  readonly code: IssueCode;
  readonly at: Path;
  /** Whether the key or its value is to be shown; the value when not given. */
  readonly on?: 'key' | 'value';
  readonly message: string;
  /** What would be right. */
  readonly hint?: string;
}

/** One problem of a configuration, for people and programs. */
export interface ConfigIssue {
  readonly code: IssueCode;
  /** `listeners[0].routes[1].pool`; empty when the whole is meant. */
  readonly path: string;
  readonly message: string;
  /** What would be right. */
  readonly hint?: string;
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
  /** Counted from 1. */
  readonly column?: number;
}

/** Writes a path as `listeners[0].match.headers["x-beta"]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!/^[A-Za-z_$][A-Za-z0-9_$]*$/.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** Writes an issue on one line, as compilers do: `file:line:column: path: message; hint`. */
export function formatIssue(issue: ConfigIssue, label?: 'warning'): string {
  const place = [issue.file, issue.line, issue.column].filter((part) => part !== undefined).join(':');
  const hint = issue.hint === undefined ? '' : `; ${issue.hint}`;
  return [place, label ?? '', issue.path, `${issue.message}${hint}`].filter((part) => part !== '').join(': ');
}
