import { expect, test } from 'bun:test';

import { atBatchEnd, beginBatch, endBatch, runTurn } from './turn.ts';

test('tasks of a batch run at its end, whatever turns there were; each once', () => {
  const seen: string[] = [];
  const task = { onBatchEnd: () => seen.push('task') };
  beginBatch(1);
  runTurn(() => atBatchEnd(task));
  runTurn(() => seen.push('turn'));
  endBatch();
  expect(seen).toEqual(['turn', 'task']);
});

test('without a batch the end of the turn is the time', async () => {
  const seen: string[] = [];
  runTurn(() => {
    atBatchEnd({ onBatchEnd: () => atBatchEnd({ onBatchEnd: () => seen.push('of the task') }) });
    runTurn(() => seen.push('inner turn'));
  });
  expect(seen).toEqual(['inner turn', 'of the task']);
  atBatchEnd({ onBatchEnd: () => seen.push('outside') });
  expect(seen.length).toBe(2);
  await Promise.resolve();
  expect(seen.at(-1)).toBe('outside');
});
