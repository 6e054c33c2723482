/** How many tests of a run ended how. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** A test that failed: where, its name, and what was said, in full. */
export interface FailedTest {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly message: string;
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

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, code?: string, name?: string) =>
    code === undefined ? (ENTITIES[name ?? ''] ?? whole) : String.fromCodePoint(Number(code)),
  );
}

/** The failed tests of a JUnit report as Bun writes it, in its order. */
export function failedTests(xml: string): FailedTest[] {
  const cases = /<testcase\b([^>]*[^/])>\s*<(?:failure|error)\b[^>]*?(?:\/>|>([^<]*)<)/g;
  return [...xml.matchAll(cases)].map(([, tag = '', message = '']) => {
    const text = (name: string) => unescapeXml(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '');
    return {
      file: text('file'),
      line: attribute(tag, 'line'),
      name: text('name'),
      message: unescapeXml(message).trim(),
    };
  });
}
