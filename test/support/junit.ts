/** How many tests of a run ended how. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

function attribute(tag: string, name: string): number {
  return Number(new RegExp(`\\b${name}="(\\d+)"`).exec(tag)?.[1] ?? 0);
}

/** Reads the totals of a JUnit report; all zero when there is none. */
export function countJunit(xml: string): Counts {
  const tag = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? '';
  const failed = attribute(tag, 'failures') + attribute(tag, 'errors');
  const skipped = attribute(tag, 'skipped');
  return { passed: attribute(tag, 'tests') - failed - skipped, failed, skipped };
}
