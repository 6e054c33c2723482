import { type ConfigIssue, formatIssue } from '../config/issue.ts';
import { styled, type Terminal } from './terminal.ts';

/** Prints issues on stderr, one a line. */
export function printIssues(terminal: Terminal, issues: readonly ConfigIssue[], label?: 'warning'): void {
  for (const issue of issues) {
    const line = formatIssue(issue, label);
    const place = [issue.file, issue.line, issue.column].filter((part) => part !== undefined).join(':');
    const rest = line.slice(place.length);
    const marked =
      label === undefined ? rest : rest.replace(label, styled('yellow', label, terminal.errColor));
    terminal.err(`${styled('bold', place, terminal.errColor)}${marked}\n`);
  }
}

/** `1 problem`, `3 problems`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
