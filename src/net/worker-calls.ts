import { closeSync, constants, openSync } from 'node:fs';

import { E, EPOLL, errno, fixed, sys, systemError } from './linux/libc.ts';
import { poller } from './linux/poller.ts';
import { runTurn } from './turn.ts';

const PIPE_BYTES = 4096;
const O_CLOEXEC = 0o2000000;
const spare = fixed(PIPE_BYTES);

/** Where a worker is called, and hears it: paths that the processes of this machine and user can open. Plain data. */
export interface CallPath {
  readonly calling: string;
  readonly hearing: string;
}

/**
 * One pipe for each worker, into which others write a byte to have it look at what changed in the shared memory. Nothing is said by it, so a
 * full pipe loses nothing. The supervisor keeps both ends open: who reads may die and another go on.
 */
export class CallPipes {
  readonly #paths: CallPath[] = [];
  readonly #descriptors: number[] = [];

  /** By worker. */
  get paths(): readonly CallPath[] {
    return this.#paths;
  }

  /**
   * Makes the pipes that `workers` need, beside those that there are.
   * @throws Error with `code` when there are no descriptors left.
   */
  reach(workers: number): void {
    const ends = fixed(8);
    while (this.#paths.length < workers) {
      if (sys.pipe2(ends, constants.O_NONBLOCK | O_CLOEXEC) < 0) throw systemError('pipe2', errno());
      const [hearing, calling] = [ends.readInt32LE(0), ends.readInt32LE(4)];
      this.#descriptors.push(hearing, calling);
      this.#paths.push({ calling: pathOf(calling), hearing: pathOf(hearing) });
    }
  }

  /** Calls every worker. */
  callAll(): void {
    for (let index = 1; index < this.#descriptors.length; index += 2) ring(this.#descriptors[index]!);
  }

  close(): void {
    for (const fd of this.#descriptors) closeSync(fd);
  }
}

function pathOf(fd: number): string {
  return `/proc/${process.pid}/fd/${fd}`;
}

function ring(fd: number): void {
  sys.write(fd, spare, 1);
}

/** Where a worker hears others, and calls them. */
export class WorkerCalls {
  readonly #own: number;
  readonly #onCall: () => void;
  readonly #calling: number[] = [];
  #hears = false;

  /** @param onCall Runs in a turn of its own whenever others have called, once for many calls. */
  constructor(own: number, onCall: () => void) {
    this.#own = own;
    this.#onCall = onCall;
  }

  /** Where all workers are called, itself included; those it knew before have not moved. */
  learn(paths: readonly CallPath[]): void {
    for (const { calling } of paths.slice(this.#calling.length))
      this.#calling.push(openSync(calling, constants.O_WRONLY | constants.O_NONBLOCK));
    const own = paths[this.#own];
    if (own !== undefined && !this.#hears) this.#listen(own);
  }

  #listen({ hearing: path }: CallPath): void {
    const hearing = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#hears = true;
    const hear = (): void => {
      let got = PIPE_BYTES;
      while (got === PIPE_BYTES || (got < 0 && errno() === E.INTR))
        got = sys.read(hearing, spare, PIPE_BYTES);
      runTurn(this.#onCall);
    };
    poller().add(hearing, EPOLL.IN | EPOLL.ET, { onEvents: hear, onAgain: hear });
  }

  call(worker: number): void {
    ring(this.#calling[worker]!);
  }
}
