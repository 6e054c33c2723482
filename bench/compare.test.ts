import { expect, test } from 'bun:test';

import { growth, MEASURES, ratioToBetter } from './compare.ts';
import type { CaseResult } from './results.ts';

function result(proxy: string, cpuUs: readonly number[], perSecond = 1): CaseResult {
  const rest = { requests: 1, seconds: 1, p50Us: 1, p99Us: 1, errors: 0, foreignCores: 0 };
  const samples = cpuUs.map((cpu) => ({ cpuUs: cpu, perSecond, ...rest }));
  return { proxy, title: 'case', samples, memoryBytes: 0, idle: undefined };
}

const [cpu, throughput] = MEASURES;
if (cpu === undefined || throughput === undefined) throw new Error('the measures are gone');

test('each round is compared with the better of the others in that round', () => {
  const results = [
    result('nginx', [10, 20, 10]),
    result('HAProxy', [20, 10, 20]),
    result('Pointsman', [9, 11, 5]),
  ];
  expect(ratioToBetter(results, cpu)).toEqual({ median: 0.9, min: 0.5, max: 1.1 });
});

test('of throughput the better is the higher', () => {
  const results = [result('nginx', [1], 100), result('HAProxy', [1], 50), result('Pointsman', [1], 120)];
  expect(ratioToBetter(results, throughput)?.median).toBe(1.2);
});

test('there is no ratio without somebody to compare with', () => {
  expect(ratioToBetter([result('Pointsman', [1])], cpu)).toBeUndefined();
  expect(ratioToBetter([result('nginx', [1])], cpu)).toBeUndefined();
});

test('growth compares two cases of one proxy', () => {
  expect(growth(result('nginx', [10, 10]), result('nginx', [10, 12])).median).toBe(1.1);
});
