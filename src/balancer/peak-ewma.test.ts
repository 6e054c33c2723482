import { describe, expect, test } from 'bun:test';

import { PeakEwma } from './peak-ewma.ts';

describe('PeakEwma', () => {
  test('without history costs nothing when idle, and more than anything measured when busy', () => {
    const metric = new PeakEwma(30_000);
    expect(metric.cost(0, 0)).toBe(0);
    expect(metric.cost(1, 0)).toBeGreaterThan(1e9);
    expect(metric.cost(2, 0)).toBeGreaterThan(metric.cost(1, 0));
    expect(metric.cost(2, 0)).toBeLessThan(Number.POSITIVE_INFINITY);
  });

  test('rises to a slow answer at once and comes down slowly', () => {
    const metric = new PeakEwma(30_000);
    metric.observe(10, 0);
    metric.observe(200, 1);
    expect(metric.cost(0, 1)).toBe(200);
    metric.observe(10, 101);
    expect(metric.cost(0, 101)).toBeGreaterThan(195);
    // 63 % of the way after 10 seconds of answers.
    for (let ms = 201; ms <= 10_001; ms += 100) metric.observe(10, ms);
    expect(metric.cost(0, 10_001)).toBeCloseTo(10 + 190 * Math.exp(-1), 0);
  });

  test('counts what is in flight, and decays without traffic', () => {
    const metric = new PeakEwma(30_000);
    metric.observe(100, 0);
    expect(metric.cost(3, 0)).toBe(400);
    expect(metric.cost(0, 10_000)).toBeCloseTo(100 / Math.E, 6);
  });

  test('a failure doubles the cost, and failures in a row double it up to the ceiling', () => {
    const metric = new PeakEwma(1000);
    metric.observe(20, 0);
    metric.observeFailure(1, 0);
    expect(metric.cost(0, 0)).toBe(40);
    for (let failure = 0; failure < 20; failure++) metric.observeFailure(1, 0);
    expect(metric.cost(0, 0)).toBe(1000);
  });

  test('the next failure starts from what the last one made, so the silences grow', () => {
    const metric = new PeakEwma(30_000);
    metric.observeFailure(10, 0);
    expect(metric.cost(0, 0)).toBe(20);
    metric.observeFailure(1, 20_000);
    expect(metric.cost(0, 20_000)).toBe(40);
  });

  test('a failure that took longer than the ceiling never makes the endpoint look better', () => {
    const metric = new PeakEwma(100);
    metric.observe(500, 0);
    metric.observeFailure(1, 0);
    expect(metric.cost(0, 0)).toBe(500);
  });
});
