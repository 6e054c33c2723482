import { describe, test } from 'bun:test';

import type { Lane } from './lanes.ts';
import { useLanes } from './request-suite.ts';

/** Tests with a conversation of their own, each with a lane of its own, many at a time. */
export function describeLanes(
  title: string,
  tests: Readonly<Record<string, (lane: Lane) => Promise<void>>>,
): void {
  describe(title, () => {
    const lanes = useLanes();
    for (const [name, run] of Object.entries(tests)) {
      test.concurrent(name, () => lanes().with(run), 15_000);
    }
  });
}
