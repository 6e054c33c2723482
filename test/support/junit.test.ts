import { expect, test } from 'bun:test';

import { countJunit, failedTests } from './junit.ts';

test('the totals of the report are read, not those of its suites', () => {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="12" assertions="30" failures="2" skipped="3" time="1.5">
  <testsuite name="a.test.ts" tests="5" assertions="9" failures="1" skipped="0" time="1">`;
  expect(countJunit(xml)).toEqual({ passed: 7, failed: 2, skipped: 3 });
});

test('no report counts as nothing run', () => {
  expect(countJunit('')).toEqual({ passed: 0, failed: 0, skipped: 0 });
});

test('the failed tests are named with what they said', () => {
  const xml = `<testsuite name="a.test.ts" file="a.test.ts" tests="3">
    <testcase name="x &amp; y" classname="c" time="0.1" file="a.test.ts" line="2" assertions="1">
      <failure type="AssertionError" message="short">Error: is &quot;1&quot;&#10;      at a.test.ts:2:75&#10;</failure>
    </testcase>
    <testcase name="good" classname="c" time="0" file="a.test.ts" line="3" assertions="0" />
    <testcase name="left out" classname="c" time="0" file="a.test.ts" line="4" assertions="0">
      <skipped />
    </testcase>
    <testcase name="late" classname="c" time="9" file="a.test.ts" line="5" assertions="0">
      <failure type="TimeoutError" />
    </testcase>`;
  expect(failedTests(xml)).toEqual([
    { file: 'a.test.ts', line: 2, name: 'x & y', message: 'Error: is "1"\n      at a.test.ts:2:75' },
    { file: 'a.test.ts', line: 5, name: 'late', message: '' },
  ]);
  expect(failedTests('')).toEqual([]);
});
