import type { Log, LogFields } from '../model/ports.ts';
import type { Clock } from '../util/clock.ts';
import { escapeText, jsonString, logfmtValue } from './escape.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Lines of one event within one period; what is beyond is counted and told in one line at its end. */
const EVENTS_PER_PERIOD = 100;
const PERIOD_MS = 10_000;

/** Where lines go; `LineWriter` is one. */
export interface LineSink {
  write(line: string): void;
}

export interface AppLogOptions {
  readonly level: LogLevel;
  /** `text`: time, level, event, then `key=value`. `json`: an object a line. */
  readonly format: 'text' | 'json';
  readonly clock: Clock;
  readonly sink: LineSink;
  /** Stand in every line, behind those of the event. */
  readonly fields?: LogFields;
}

interface Period {
  readonly level: LogLevel;
  readonly endsMs: number;
  lines: number;
  suppressed: number;
}

/** The log of the process: one event a line, filtered by level, bounded per event, and never forged by its values. */
export class AppLog implements Log {
  readonly #options: AppLogOptions;
  readonly #periods = new Map<string, Period>();

  constructor(options: AppLogOptions) {
    this.#options = options;
  }

  debug(event: string, fields?: LogFields): void {
    this.#log('debug', event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.#log('info', event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.#log('warn', event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#log('error', event, fields);
  }

  #log(level: LogLevel, event: string, fields: LogFields | undefined): void {
    if (RANK[level] < RANK[this.#options.level]) return;
    if (this.#admit(level, event)) this.#write(level, event, fields);
  }

  #admit(level: LogLevel, event: string): boolean {
    const nowMs = this.#options.clock.nowMs();
    let period = this.#periods.get(event);
    if (period === undefined || nowMs >= period.endsMs) {
      period = { level, endsMs: nowMs + PERIOD_MS, lines: 0, suppressed: 0 };
      this.#periods.set(event, period);
    }
    if (period.lines < EVENTS_PER_PERIOD) {
      period.lines++;
      return true;
    }
    if (period.suppressed++ === 0) {
      const ended = period;
      this.#options.clock.after(ended.endsMs - nowMs, () =>
        this.#write(ended.level, event, { suppressed: ended.suppressed }),
      );
    }
    return false;
  }

  #write(level: LogLevel, event: string, fields: LogFields | undefined): void {
    const time = new Date(this.#options.clock.wallMs()).toISOString();
    const format = this.#options.format === 'json' ? formatJson : formatText;
    this.#options.sink.write(format(time, level, event, { ...fields, ...this.#options.fields }));
  }
}

function formatText(time: string, level: LogLevel, event: string, fields: LogFields): string {
  let line = `${time} ${level.toUpperCase().padEnd(5)} ${escapeText(event)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${escapeText(key)}=${logfmtValue(String(value))}`;
  }
  return `${line}\n`;
}

function formatJson(time: string, level: LogLevel, event: string, fields: LogFields): string {
  let line = `{"time":"${time}","level":"${level}","event":${jsonString(event)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    line += `,${jsonString(key)}:${typeof value === 'string' ? jsonString(value) : JSON.stringify(value)}`;
  }
  return `${line}}\n`;
}
