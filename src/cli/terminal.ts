import type { WriteStream } from 'node:tty';

/** Where a command writes. Injected, so that commands are tested without a process. */
export interface Terminal {
  /** What the user asked for. */
  out(text: string): void;
  /** Everything else: errors, warnings, progress. */
  err(text: string): void;
  /** Directory in which default files are looked for. */
  readonly directory: string;
  /** Environment variables; none when not given. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly outColor: boolean;
  readonly errColor: boolean;
}

/** The terminal of this process; colour only for people, see https://no-color.org. */
export function processTerminal(): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    directory: process.cwd(),
    environment: process.env,
    outColor: wantsColor(process.stdout),
    errColor: wantsColor(process.stderr),
  };
}

function wantsColor(stream: WriteStream): boolean {
  const { NO_COLOR: none = '', TERM: kind } = process.env;
  return stream.isTTY && none === '' && kind !== 'dumb';
}

const STYLES = { bold: [1, 22], red: [31, 39], yellow: [33, 39], green: [32, 39] } as const;

/** Wraps a text in a style when `color` says so. */
export function styled(style: keyof typeof STYLES, text: string, color: boolean): string {
  const [on, off] = STYLES[style];
  return color ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}
