import { expect, test } from 'bun:test';

import { exchangeAnswered, exchangeBegins, Gathering } from './gathering.ts';

function begin(count: number): void {
  for (let index = 0; index < count; index++) exchangeBegins();
}

function answer(count: number): void {
  for (let index = 0; index < count; index++) exchangeAnswered();
}

test('many exchanges that wait long are worth a pause, once each time there was nothing to do', () => {
  const gathering = new Gathering();
  gathering.pays(1000);
  begin(1000);
  gathering.onIdle();
  expect(gathering.pays(1020)).toBe(true);
  expect(gathering.pays(1020.2)).toBe(false);
  gathering.onIdle();
  expect(gathering.pays(1020.4)).toBe(true);
  answer(1000);
});

test('a burst of a load at a moderate rate is not worth a pause', () => {
  const gathering = new Gathering();
  gathering.pays(1000);
  // 16,000 a second, 64 at a time.
  for (let nowMs = 1000; nowMs < 1040; nowMs += 4) {
    begin(64);
    gathering.onIdle();
    expect(gathering.pays(nowMs + 1)).toBe(false);
    answer(64);
  }
});

test('a process that is never idle does not pause', () => {
  const gathering = new Gathering();
  gathering.pays(1000);
  begin(1000);
  expect(gathering.pays(1020)).toBe(false);
  answer(1000);
});

test('few exchanges at a time are not kept waiting, however many there are a second', () => {
  const gathering = new Gathering();
  gathering.pays(1000);
  for (let index = 0; index < 1000; index++) {
    begin(1);
    answer(1);
  }
  begin(4);
  gathering.onIdle();
  expect(gathering.pays(1020)).toBe(false);
  answer(4);
});

test('exchanges that wait long, but seldom come, gain nothing', () => {
  const gathering = new Gathering();
  begin(1000);
  gathering.pays(1000);
  begin(100);
  gathering.onIdle();
  expect(gathering.pays(1020)).toBe(false);
  // A rush after a quiet time counts when it has gone on for a while.
  begin(500);
  expect(gathering.pays(1021)).toBe(false);
  expect(gathering.pays(1030)).toBe(true);
  gathering.onIdle();
  expect(gathering.pays(5000)).toBe(false);
  answer(1600);
});
