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
  begin(100);
  gathering.onIdle();
  expect(gathering.pays(1002)).toBe(true);
  expect(gathering.pays(1002.2)).toBe(false);
  gathering.onIdle();
  expect(gathering.pays(1002.4)).toBe(true);
  answer(100);
});

test('a process that is never idle does not pause', () => {
  const gathering = new Gathering();
  gathering.pays(1000);
  begin(100);
  expect(gathering.pays(1002)).toBe(false);
  answer(100);
});

test('few exchanges at a time are not kept waiting, however many there are a second', () => {
  const gathering = new Gathering();
  gathering.pays(1000);
  for (let index = 0; index < 100; index++) {
    begin(1);
    answer(1);
  }
  begin(4);
  gathering.onIdle();
  expect(gathering.pays(1002)).toBe(false);
  answer(4);
});

test('exchanges that wait long, but seldom come, gain nothing', () => {
  const gathering = new Gathering();
  begin(1000);
  gathering.pays(1000);
  begin(10);
  gathering.onIdle();
  expect(gathering.pays(1002)).toBe(false);
  // A rush after a quiet time counts from its second millisecond.
  begin(50);
  expect(gathering.pays(1003)).toBe(true);
  gathering.onIdle();
  expect(gathering.pays(5000)).toBe(false);
  answer(1060);
});
