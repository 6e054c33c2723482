import type { AccessLogConfig } from '../config/schema/access-log.ts';
import type { AccessEntry, AccessLog } from '../model/access-entry.ts';
import type { SessionEntry } from '../model/session-entry.ts';
import type { Log } from '../model/ports.ts';
import type { Clock } from '../util/clock.ts';
import { compileAccessFormat, compileSessionFormat, type AccessFormatter } from './access-format.ts';
import { LineWriter } from './line-writer.ts';

const FLUSH_EVERY_MS = 200;

/** The access log: one line a request or session, formatted at once, written in batches off the data path. */
export class BatchedAccessLog implements AccessLog {
  readonly #path: string;
  readonly #formatRequest: AccessFormatter;
  readonly #formatSession: AccessFormatter<SessionEntry>;
  readonly #writer: LineWriter;
  readonly #log: Log;
  #lines = 0;

  private constructor({ path, format }: AccessLogConfig, writer: LineWriter, log: Log) {
    this.#path = path;
    this.#formatRequest = compileAccessFormat(format);
    this.#formatSession = compileSessionFormat(format);
    this.#writer = writer;
    this.#log = log;
  }

  /** Opens the file, appending. Throws the error of the system when it cannot be opened. Trouble later goes to `log`. */
  static open(config: AccessLogConfig, clock: Clock, log: Log): BatchedAccessLog {
    const { path } = config;
    const trouble = {
      onTrouble: (reason: string) => log.error('access-log.trouble', { path, reason }),
      onRecovery: (droppedLines: number) => log.info('access-log.recovered', { path, droppedLines }),
    };
    const writer = LineWriter.open({ destination: path, clock, flushEveryMs: FLUSH_EVERY_MS, trouble });
    return new BatchedAccessLog(config, writer, log);
  }

  /** Requests and sessions taken down since the start, those whose lines were lost included. */
  get lines(): number {
    return this.#lines;
  }

  /** Lines lost since the start, because the destination was slow, full or gone. */
  get droppedLines(): number {
    return this.#writer.droppedLines;
  }

  record(entry: AccessEntry): void {
    this.#lines++;
    this.#writer.write(this.#formatRequest(entry));
  }

  recordSession(entry: SessionEntry): void {
    this.#lines++;
    this.#writer.write(this.#formatSession(entry));
  }

  /** Goes on in a new file of the same name; for logrotate. When that fails, says so and keeps the old one. */
  reopen(): void {
    try {
      this.#writer.reopen();
    } catch (error) {
      this.#log.error('access-log.reopen-failed', { path: this.#path, reason: String(error) });
    }
  }

  /** Writes what waits, for at most `timeoutMs`, and closes the file. */
  close(timeoutMs: number): Promise<void> {
    return this.#writer.close(timeoutMs);
  }
}
