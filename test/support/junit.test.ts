import { expect, test } from 'bun:test';

import { countJunit } from './junit.ts';

test('the totals of the report are read, not those of its suites', () => {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="12" assertions="30" failures="2" skipped="3" time="1.5">
  <testsuite name="a.test.ts" tests="5" assertions="9" failures="1" skipped="0" time="1">`;
  expect(countJunit(xml)).toEqual({ passed: 7, failed: 2, skipped: 3 });
});

test('no report counts as nothing run', () => {
  expect(countJunit('')).toEqual({ passed: 0, failed: 0, skipped: 0 });
});
