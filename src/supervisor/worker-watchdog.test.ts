import { expect, test } from 'bun:test';

import type { WorkerSlot } from './worker-slot.ts';
import { askFigures, lookAfter } from './worker-watchdog.ts';

const TIMES = { warnAfter: 1000, killAfter: 2000 };

/** A slot whose worker answers only when it is told to. */
function scene() {
  const said: string[] = [];
  const note = (event: string): void => void said.push(event);
  const link = { asked: 0, received: 0, due: 0, missed: 0, warned: false };
  const slot = {
    state: 'ready',
    number: 1,
    pid: 7,
    link,
    send: () => {},
    kill: () => said.push('kill'),
  } as unknown as WorkerSlot;
  const log = { debug: note, info: note, warn: note, error: note };
  const answer = (): void => void (link.received = link.asked);
  return { said, link, slot, answer, look: () => lookAfter(slot, TIMES, log) };
}

test('a worker that answers is well, also when somebody has asked it again just before the look', () => {
  const { said, link, slot, answer, look } = scene();
  look();
  answer();
  askFigures(slot);
  look();
  expect([said, link.missed]).toEqual([[], 0]);
  answer();
  look();
  expect([said, link.missed]).toEqual([[], 0]);
});

test('one that does not is told of, then killed; whoever else asks it meanwhile', () => {
  const { said, slot, link, look } = scene();
  look();
  askFigures(slot);
  look();
  expect([said, link.missed]).toEqual([['worker-stuck'], 1]);
  look();
  expect(said).toEqual(['worker-stuck', 'worker-killed', 'kill']);
});

test('one that answers after all is well again', () => {
  const { said, link, answer, look } = scene();
  look();
  look();
  answer();
  look();
  expect([said, link.missed]).toEqual([['worker-stuck', 'worker-answers'], 0]);
});
