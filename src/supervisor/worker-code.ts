import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

import type { Log } from '../model/ports.ts';

const ENTRY = new URL('worker-main.ts', import.meta.url).pathname;

/** When a file was last written, or put in the place of another; 0 when it is not there. */
function changedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? 0;
}

/** The program of workers as this process found it, in memory. */
interface Kept {
  readonly code: Uint8Array;
  /** The files it was made of, with their times. */
  readonly files: ReadonlyMap<string, number>;
}

/** A command with what it reads from its standard input. */
export interface WorkerProgram {
  readonly command: readonly string[];
  readonly input: Uint8Array | 'ignore';
}

/**
 * The code that workers run. Workers and their supervisor must be of one version, and files may be replaced while they run: so the code is kept
 * in memory, and a worker that is started later is of the version of the supervisor whatever lies on disk by then.
 */
export class WorkerCode {
  #kept: Kept | undefined = undefined;
  #warned = false;

  /** Takes the code into memory. Never rejects: without it, workers run what is on disk. */
  async keep(log: Log): Promise<void> {
    try {
      const built = await Bun.build({ entrypoints: [ENTRY], target: 'bun', metafile: true });
      const code = new Uint8Array(await built.outputs[0]!.arrayBuffer());
      const names = Object.keys(built.metafile?.inputs ?? {}).map((name) => resolve(name));
      this.#kept = { code, files: new Map(names.map((name) => [name, changedMs(name)])) };
      log.debug('worker-code-kept', { sizeBytes: code.length });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn('worker-code-not-kept', { reason });
    }
  }

  /** How a worker is started now. Says so in the log, once, when the files are others than those that run. */
  program(log: Log): WorkerProgram {
    const kept = this.#kept;
    if (kept === undefined)
      return { command: [process.execPath, ...process.execArgv, ENTRY], input: 'ignore' };
    if (!this.#warned && [...kept.files].some(([name, ms]) => changedMs(name) !== ms)) {
      this.#warned = true;
      log.warn('program-replaced', {
        reason:
          'the files of the program are not those that it was started from; workers go on with the old code',
        advice: 'put the new program into force with: pointsman upgrade',
      });
    }
    // The runtime may have been replaced, too.
    const running = `/proc/${process.pid}/exe`;
    const runtime = existsSync(running) ? running : process.execPath;
    return { command: [runtime, ...process.execArgv, '-'], input: kept.code };
  }
}
