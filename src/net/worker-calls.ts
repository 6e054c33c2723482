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
  readonly paths: readonly CallPath[];
  readonly #descriptors: readonly number[];

  /** @throws Error with `code` when there are no descriptors left. */
  constructor(workers: number) {
    const ends = fixed(8);
    const descriptors: number[] = [];
    this.paths = Array.from({ length: workers }, () => {
      if (sys.pipe2(ends, constants.O_NONBLOCK | O_CLOEXEC) < 0) throw systemError('pipe2', errno());
      const [hearing, calling] = [ends.readInt32LE(0), ends.readInt32LE(4)];
      descriptors.push(hearing, calling);
      return { calling: pathOf(calling), hearing: pathOf(hearing) };
    });
    this.#descriptors = descriptors;
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

/**
 * Takes part as the worker `own`. `onCall` runs in a turn of its own whenever others have called, once for many calls.
 * @returns what calls another worker.
 */
export function joinCalls(
  paths: readonly CallPath[],
  own: number,
  onCall: () => void,
): (worker: number) => void {
  const hearing = openSync(paths[own]!.hearing, constants.O_RDONLY | constants.O_NONBLOCK);
  const calling = paths.map((path) => openSync(path.calling, constants.O_WRONLY | constants.O_NONBLOCK));
  const hear = (): void => {
    let got = PIPE_BYTES;
    while (got === PIPE_BYTES || (got < 0 && errno() === E.INTR)) got = sys.read(hearing, spare, PIPE_BYTES);
    runTurn(onCall);
  };
  poller().add(hearing, EPOLL.IN | EPOLL.ET, { onEvents: hear, onAgain: hear });
  return (worker) => ring(calling[worker]!);
}
