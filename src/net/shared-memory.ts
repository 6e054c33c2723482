import { closeSync, existsSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { SharedFile } from '../model/shared/shared-file.ts';
import { available, sys } from './linux/libc.ts';

const ZEROS = Buffer.alloc(65_536);
const MFD_CLOEXEC = 1;
/** Of fallocate(2): the file stays as long as it is, and a part of it has no memory any more. */
const KEEP_SIZE_AND_PUNCH_HOLE = 1 | 2;

/**
 * Memory without a file to its name: it goes with the last process that has it, so nothing is left of one that crashed, and the size
 * of /dev/shm (64 MB in most containers) is no limit.
 */
function openNameless(): { readonly fd: number; readonly path: string } {
  if (available) {
    const fd = sys.memfd_create(Buffer.from('pointsman\0'), MFD_CLOEXEC);
    if (fd >= 0) return { fd, path: pathOf(fd) };
  }
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'pointsman-'));
  const file = join(folder, 'state');
  const fd = openSync(file, 'wx+', 0o600);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  if (existsSync(pathOf(fd))) {
    remove();
    return { fd, path: pathOf(fd) };
  }
  process.on('exit', remove);
  return { fd, path: file };
}

function pathOf(fd: number): string {
  return `/proc/${process.pid}/fd/${fd}`;
}

/** Memory that this process and those it tells the path can map, and that its own process makes room in. */
class CreatedMemory implements SharedFile {
  readonly path: string;
  readonly #fd: number;
  readonly #maps = new Map<number, Uint8Array>();

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.path = path;
  }

  map(offset: number, size: number): Uint8Array {
    return mapOnce(this.#maps, this.path, offset, size);
  }

  clear(offset: number, size: number): void {
    for (let at = 0; at < size; at += ZEROS.length) {
      const length = Math.min(ZEROS.length, size - at);
      if (writeSync(this.#fd, ZEROS, 0, length, offset + at) !== length)
        throw new Error('there is no room for more shared memory');
    }
  }

  /** Where that cannot be, memory stays until something else needs it. */
  release(offset: number, size: number): void {
    if (available) sys.fallocate(this.#fd, KEEP_SIZE_AND_PUNCH_HOLE, offset, size);
  }

  /** What is mapped stays mapped, here and elsewhere. */
  close(): void {
    closeSync(this.#fd);
  }
}

/**
 * Makes memory that several processes share, all 0. It takes as much as is used of it.
 */
export function createSharedMemory(sizeBytes: number): SharedFile & { close(): void } {
  const { fd, path } = openNameless();
  ftruncateSync(fd, sizeBytes);
  return new CreatedMemory(fd, path);
}

/**
 * The memory that another process made.
 * @throws Error when there is none at `path`.
 */
export function openSharedMemory(path: string): SharedFile {
  const maps = new Map<number, Uint8Array>();
  return {
    path,
    map: (offset, size) => mapOnce(maps, path, offset, size),
    clear() {
      throw new Error('only the process that made a memory clears it');
    },
    release() {
      throw new Error('only the process that made a memory takes it away');
    },
  };
}

function mapOnce(maps: Map<number, Uint8Array>, path: string, offset: number, size: number): Uint8Array {
  const known = maps.get(offset);
  if (known !== undefined && known.length === size) return known;
  const mapped = Bun.mmap(path, { shared: true, offset, size });
  maps.set(offset, mapped);
  return mapped;
}
