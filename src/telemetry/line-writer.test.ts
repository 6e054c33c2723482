import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { FakeClock } from '../util/fake-clock.ts';
import { LineWriter } from './line-writer.ts';

let directory: string;
let path: string;
let clock: FakeClock;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pointsman-'));
  path = join(directory, 'access.log');
  clock = new FakeClock();
});

afterEach(() => rmSync(directory, { recursive: true }));

function open(destination = path) {
  const told: string[] = [];
  const trouble = {
    onTrouble: (reason: string) => told.push(reason),
    onRecovery: (dropped: number) => told.push(`recovered ${dropped}`),
  };
  return { told, writer: LineWriter.open({ destination, clock, flushEveryMs: 200, trouble }) };
}

const text = (file: string) => readFileSync(file, 'latin1');

/** Runs `script` in a process of its own, which has `writer` to stdout and `trouble` on stderr. */
function spawnWriter(script: string, shell = 'exec "$0" "$@"') {
  const program = `
    import { LineWriter } from ${JSON.stringify(join(import.meta.dir, 'line-writer.ts'))};
    import { systemClock } from ${JSON.stringify(join(import.meta.dir, '../util/clock.ts'))};
    const trouble = { onTrouble: (r) => console.error('trouble', r), onRecovery: (n) => console.error('recovered', n) };
    const destination = process.argv[1] ?? 'stdout';
    const writer = LineWriter.open({ destination, clock: systemClock, flushEveryMs: 20, trouble });
    ${script}`;
  return Bun.spawn(
    ['sh', '-c', shell, process.execPath, '-e', program, ...(shell.includes('ulimit') ? [path] : [])],
    {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
    },
  );
}

describe('LineWriter', () => {
  test('writes a batch when it is old enough', async () => {
    const { writer } = open();
    writer.write('one\n');
    writer.write('two\n');
    clock.advance(199);
    expect(text(path)).toBe('');
    clock.advance(1);
    await writer.flush();
    expect(text(path)).toBe('one\ntwo\n');
    expect(clock.pending).toBe(0);
    await writer.close(1000);
  });

  test('writes a batch when it is large enough, and keeps the order', async () => {
    const { writer } = open();
    const line = `${'x'.repeat(99)}\n`;
    for (let i = 0; i < 2000; i++) writer.write(`${i}${line}`);
    await writer.close(1000);
    expect(text(path)).toBe(Array.from({ length: 2000 }, (_, i) => `${i}${line}`).join(''));
    expect(writer.droppedLines).toBe(0);
  });

  test('appends to a file that is there', async () => {
    writeFileSync(path, 'old\n');
    const { writer } = open();
    writer.write('new\n');
    await writer.close(1000);
    expect(text(path)).toBe('old\nnew\n');
  });

  test('a file that cannot be opened is an error at once', () => {
    expect(() => open(join(directory, 'no', 'such'))).toThrow('ENOENT');
  });

  test('a named pipe that nobody reads is an error, not a hang', () => {
    const pipe = join(directory, 'pipe');
    expect(Bun.spawnSync(['mkfifo', pipe]).exitCode).toBe(0);
    expect(() => open(pipe)).toThrow('ENXIO');
  });

  test('reopen goes on in a new file; no line is lost or torn', async () => {
    const { writer } = open();
    for (let i = 0; i < 10; i++) {
      for (let j = 0; j < 500; j++) writer.write(`line ${i} ${j} ${'.'.repeat(200)}\n`);
      if (i % 2 === 0) await writer.flush();
      renameSync(path, `${path}.${i}`);
      writer.reopen();
    }
    await writer.close(1000);
    const all = [...Array.from({ length: 10 }, (_, i) => text(`${path}.${i}`)), text(path)];
    for (const part of all) expect(part === '' || part.endsWith('\n')).toBe(true);
    const lines = all.join('').split('\n').slice(0, -1);
    expect(lines).toHaveLength(5000);
    expect(lines.every((line, i) => line.startsWith(`line ${Math.floor(i / 500)} ${i % 500} .`))).toBe(true);
  });

  test('a failed reopen throws and goes on with the old file', async () => {
    const { writer } = open();
    renameSync(directory, `${directory}.moved`);
    expect(() => writer.reopen()).toThrow('ENOENT');
    renameSync(`${directory}.moved`, directory);
    writer.write('kept\n');
    await writer.close(1000);
    expect(text(path)).toBe('kept\n');
  });

  test('a full disk: told once, bounded memory, everything kept is written when there is space', async () => {
    symlinkSync('/dev/full', path);
    const { writer, told } = open();
    const line = `${'x'.repeat(1023)}\n`;
    for (let i = 0; i < 3000; i++) {
      writer.write(line);
      if (i % 100 === 0) {
        await writer.flush();
        clock.advance(1000);
      }
    }
    await writer.flush();
    expect(told).toEqual(['ENOSPC']);
    expect(writer.droppedLines).toBe(3000 - 1024);
    rmSync(path);
    writer.reopen();
    await writer.flush();
    expect(told).toEqual(['ENOSPC', `recovered ${3000 - 1024}`]);
    expect(text(path)).toBe(line.repeat(1024));
    await writer.close(1000);
  });

  test('space that comes back: goes on in the middle of the line where it stopped', async () => {
    // A soft limit on the file size makes the kernel take a part of a batch, then nothing.
    const child = spawnWriter(
      `for (let i = 0; i < 100; i++) writer.write(i + ' ' + '.'.repeat(100) + '\\n');
       await writer.flush();
       for await (const _ of process.stdin) break;
       writer.write('last\\n');
       await writer.close(5000);`,
      `trap '' XFSZ; ulimit -S -f 2; exec "$0" "$@"`,
    );
    const stderr = child.stderr.getReader();
    const decoder = new TextDecoder();
    expect(decoder.decode((await stderr.read()).value)).toBe('trouble EFBIG\n');
    const before = text(path).length;
    expect(before % 104).not.toBe(0);
    expect(Bun.spawnSync(['prlimit', '--pid', String(child.pid), '--fsize=unlimited']).exitCode).toBe(0);
    await child.stdin.write('go\n');
    await child.stdin.end();
    expect(decoder.decode((await stderr.read()).value)).toBe('recovered 0\n');
    expect(await child.exited).toBe(0);
    const lines = Array.from({ length: 100 }, (_, i) => `${i} ${'.'.repeat(100)}\n`);
    expect(text(path)).toBe(`${lines.join('')}last\n`);
  });

  test('a destination that is too slow: told once, lines dropped and counted, then on with whole lines', async () => {
    const { writer, told } = open();
    const line = `${'x'.repeat(1023)}\n`;
    // Nothing is written before this turn of the event loop ends.
    for (let i = 0; i < 3000; i++) writer.write(line);
    expect(told).toEqual(['too-slow']);
    await writer.close(1000);
    expect(told).toEqual(['too-slow', `recovered ${3000 - 1024}`]);
    expect(text(path)).toBe(line.repeat(1024));
  });

  test('a pipe that is full for now is written to later, and is no trouble', async () => {
    const pipe = join(directory, 'pipe');
    expect(Bun.spawnSync(['mkfifo', pipe]).exitCode).toBe(0);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const { writer, told } = open(pipe);
    const lines = Array.from({ length: 5000 }, (_, i) => `${i} ${'.'.repeat(100)}\n`).join('');
    for (const line of lines.match(/.*\n/g)!) writer.write(line);
    const buffer = Buffer.alloc(64 * 1024);
    let got = '';
    while (got.length < lines.length) {
      await writer.flush();
      got += buffer.toString('latin1', 0, readSync(reader, buffer));
      clock.advance(20);
    }
    expect(got).toBe(lines);
    expect(told).toEqual([]);
    await writer.close(1000);
    closeSync(reader);
  });

  test('a reader of stdout that is gone does not end the process', async () => {
    const child = spawnWriter(
      `for (let i = 0; i < 5; i++) { writer.write('line\\n'); await writer.flush(); }
       await writer.close(1000);
       console.error('alive');`,
      `"$0" "$@" | :`,
    );
    expect(await new Response(child.stderr).text()).toBe('trouble EPIPE\nalive\n');
  });

  test('after the end of it lines are dropped, and the descriptor is never used again', async () => {
    const { writer } = open();
    await writer.close(1000);
    const other = openSync(join(directory, 'other'), 'w');
    writer.write('late\n');
    clock.advance(10_000);
    await writer.flush();
    expect(text(join(directory, 'other'))).toBe('');
    expect(writer.droppedLines).toBe(1);
    closeSync(other);
  });

  test('flushSync writes before it returns, for a process that dies', () => {
    const { writer } = open();
    writer.write('last words\n');
    writer.flushSync();
    expect(text(path)).toBe('last words\n');
  });
});
