import { closeSync, constants, openSync, write, writeSync } from 'node:fs';

import type { CancelTimer, Clock } from '../util/clock.ts';

/** Lines kept in memory while the destination is slow or full; beyond it new lines are dropped and counted. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** A batch is written when it is this large, or old enough. */
const BATCH_BYTES = 64 * 1024;
/** What a pipe takes in one piece (PIPE_BUF, pipe(7)): of larger writes it may put those of another process in the middle. */
const PIPE_BYTES = 4096;
const RETRY_AFTER_ERROR_MS = 1000;
/** A pipe that was inherited non-blocking and is full for now. */
const RETRY_WHEN_BUSY_MS = 20;
const LINE_FEED = 10;

/** Told when lines begin to be lost, and when they no longer are; each once an incident. */
export interface WriterTrouble {
  /** `reason`: an error code of the system such as ENOSPC, or `too-slow`. */
  onTrouble(reason: string): void;
  onRecovery(droppedLines: number): void;
}

export interface LineWriterOptions {
  /** `stdout`, `stderr`, or the path of a file that is appended to. */
  readonly destination: string;
  readonly clock: Clock;
  /** How long a line may wait for company. */
  readonly flushEveryMs: number;
  readonly trouble?: WriterTrouble | undefined;
}

/**
 * Writes lines in batches from a thread of the runtime's pool, so that a slow disk, a full disk or a stuck pipe never
 * holds up traffic. Memory is bounded. After an error it keeps what it has, tries again, and goes on in the middle of
 * the line where it stopped, so no line is torn.
 */
export class LineWriter {
  readonly #options: LineWriterOptions;
  #fd: number;
  /** Lines that are not yet a batch. */
  #open = '';
  readonly #batches: Buffer[] = [];
  /** How much of the first batch is written. */
  #offset = 0;
  #bufferedBytes = 0;
  #writing = false;
  #cancelTimer: CancelTimer | undefined;
  /** The last write failed. */
  #failing = false;
  /** Why lines are being lost, as it was told; empty when they are not. */
  #incident = '';
  #droppedInIncident = 0;
  #droppedLines = 0;
  /** The file opened anew, to go on with after the line under way. */
  #nextFd: number | undefined;
  #closed = false;
  #waiters: (() => void)[] = [];

  private constructor(options: LineWriterOptions, fd: number) {
    this.#options = options;
    this.#fd = fd;
  }

  /** Opens the destination. Throws the error of the system when the file cannot be opened. */
  static open(options: LineWriterOptions): LineWriter {
    return new LineWriter(options, openDestination(options.destination));
  }

  /** Lines lost since the start. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** Takes one line: ASCII, with its line end. Never throws, never waits. */
  write(line: string): void {
    if (this.#closed || this.#bufferedBytes + line.length > MAX_BUFFERED_BYTES) {
      this.#drop(1);
      return;
    }
    // Other workers write to the same pipe; to files the system appends each write whole.
    if (!this.#ownsFd() && this.#open.length + line.length > PIPE_BYTES) this.#flushNow();
    this.#open += line;
    this.#bufferedBytes += line.length;
    if (this.#open.length >= BATCH_BYTES) this.#flushNow();
    else this.#cancelTimer ??= this.#options.clock.after(this.#options.flushEveryMs, this.#onTimer);
  }

  /**
   * Opens the file again, after logrotate has moved it away; nothing to do for stdout and stderr. Lines that wait go to
   * the new file; one that is half written is finished in the old one, unless that takes no more.
   * Throws the error of the system when the file cannot be opened, and then goes on with the old one.
   */
  reopen(): void {
    if (!this.#ownsFd() || this.#closed) return;
    const fd = openDestination(this.#options.destination);
    if (this.#nextFd !== undefined) closeSync(this.#nextFd);
    this.#nextFd = fd;
    this.#swap();
    this.#flushNow();
  }

  /** Resolves when everything taken so far is written, or when writing fails. */
  flush(): Promise<void> {
    this.#flushNow();
    return this.#writing ? new Promise((resolve) => this.#waiters.push(resolve)) : Promise.resolve();
  }

  /** Writes what is left, waiting for at most `timeoutMs`, and closes the file. Later lines are dropped. */
  async close(timeoutMs: number): Promise<void> {
    let cancel: CancelTimer | undefined;
    const timeout = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(timeoutMs, resolve);
    });
    await Promise.race([this.flush(), timeout]);
    cancel?.();
    this.#end();
    // A write that hangs still uses the descriptor; the end of the process closes it.
    if (this.#ownsFd() && !this.#writing) closeSync(this.#fd);
  }

  /**
   * Writes what is left at once, for a process that ends because of a defect. Errors are ignored. A batch that is with
   * the kernel already may come after it, or not at all.
   */
  flushSync(): void {
    this.#seal();
    const batches = this.#batches.slice(this.#writing ? 1 : 0);
    let offset = this.#writing ? 0 : this.#offset;
    this.#end();
    try {
      for (const batch of batches) {
        writeSync(this.#fd, batch, offset);
        offset = 0;
      }
    } catch {
      // Nowhere left to tell.
    }
  }

  #end(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #ownsFd(): boolean {
    return this.#options.destination !== 'stdout' && this.#options.destination !== 'stderr';
  }

  readonly #onTimer = (): void => {
    this.#cancelTimer = undefined;
    this.#flushNow();
  };

  #flushNow(): void {
    this.#seal();
    this.#writeNext();
  }

  #seal(): void {
    if (this.#open === '') return;
    this.#batches.push(Buffer.from(this.#open, 'latin1'));
    this.#open = '';
  }

  #writeNext(): void {
    const batch = this.#batches[0];
    if (this.#writing || this.#closed || batch === undefined) return;
    this.#writing = true;
    write(this.#fd, batch, this.#offset, batch.length - this.#offset, null, this.#onWritten);
  }

  readonly #onWritten = (error: NodeJS.ErrnoException | null, bytes: number): void => {
    this.#writing = false;
    this.#failing = error !== null;
    if (error === null) this.#advance(bytes);
    else this.#retryLater(error.code ?? 'unknown');
    this.#swap();
    if (!this.#failing) this.#writeNext();
    if (!this.#writing) for (const resolve of this.#waiters.splice(0)) resolve();
  };

  #advance(bytes: number): void {
    this.#offset += bytes;
    this.#bufferedBytes -= bytes;
    if (this.#offset === this.#batches[0]!.length) {
      this.#batches.shift();
      this.#offset = 0;
    }
    if (this.#incident === '' || this.#bufferedBytes > MAX_BUFFERED_BYTES / 2) return;
    this.#incident = '';
    const dropped = this.#droppedInIncident;
    this.#droppedInIncident = 0;
    this.#options.trouble?.onRecovery(dropped);
  }

  #retryLater(code: string): void {
    const busy = code === 'EAGAIN';
    if (!busy) this.#report(code);
    if (this.#closed) return;
    this.#cancelTimer?.();
    const delayMs = busy ? RETRY_WHEN_BUSY_MS : RETRY_AFTER_ERROR_MS;
    this.#cancelTimer = this.#options.clock.after(delayMs, this.#onTimer);
  }

  #drop(lines: number): void {
    this.#droppedLines += lines;
    this.#droppedInIncident += lines;
    if (!this.#closed) this.#report('too-slow');
  }

  #report(reason: string): void {
    if (this.#incident !== '') return;
    this.#incident = reason;
    this.#options.trouble?.onTrouble(reason);
  }

  /** Goes over to the file opened anew, between two lines. */
  #swap(): void {
    const fd = this.#nextFd;
    if (fd === undefined || this.#writing) return;
    if (this.#offset > 0) {
      if (!this.#failing) return;
      this.#forgetTornLine();
    }
    closeSync(this.#fd);
    this.#fd = fd;
    this.#nextFd = undefined;
    this.#failing = false;
  }

  /** The old file takes no more: the rest of the line that it has the beginning of is lost. */
  #forgetTornLine(): void {
    const batch = this.#batches[0]!;
    const torn = batch[this.#offset - 1] !== LINE_FEED;
    const keepFrom = torn ? batch.indexOf(LINE_FEED, this.#offset) + 1 : this.#offset;
    this.#bufferedBytes -= keepFrom - this.#offset;
    this.#offset = 0;
    if (keepFrom < batch.length) this.#batches[0] = batch.subarray(keepFrom);
    else this.#batches.shift();
    if (torn) this.#drop(1);
  }
}

/**
 * Throws the error of the system when the file cannot be opened. Non-blocking, so that a named pipe without a reader is
 * an error (ENXIO) and not a hang; files do not care.
 */
function openDestination(destination: string): number {
  if (destination === 'stdout') return 1;
  if (destination === 'stderr') return 2;
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  return openSync(destination, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640);
}
