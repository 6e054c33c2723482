import type { FailureInfo, FailureOrigin } from '../../src/model/failure-info.ts';
import { FAILURES } from '../../src/model/failures.ts';
import { GENERATED, table } from './markdown.ts';

const INTRODUCTION = `# Failure codes

When Pointsman itself ends a request or an attempt, it says why by one of these codes: in the \`Proxy-Status\` header
of the response, in the access log (\`failure\`), and as a label of metrics. Codes are permanent: they are never renamed
and never used for something else.

- **Status** is sent when no response head has gone out yet. 0: the connection is closed without a response. 499 is
  never sent; it stands in logs and metrics for a client that went away.
- **Phase** is how far the request had come.
- **Retry** says whether another attempt is safe (RFC 9110 section 9.2.2). \`safe\`: the endpoint saw nothing of the request,
  so any method may be tried again. \`idempotent\`: it may have acted on it, so only idempotent methods. \`chosen\`: the
  configuration says that it is safe, whatever the method. \`never\`.
- **Proxy-Status** is the error type of RFC 9209 section 2.3.
`;

const HEADINGS: Readonly<Record<FailureOrigin, string>> = {
  client: 'Caused by the client',
  endpoint: 'Caused by the endpoint',
  pointsman: 'Decided by Pointsman',
};

/** docs/reference/failures.md */
export function failuresReference(): string {
  let page = GENERATED + INTRODUCTION;
  for (const [origin, heading] of Object.entries(HEADINGS)) {
    const rows = Object.entries<FailureInfo>(FAILURES)
      .filter(([, info]) => info.origin === origin)
      .map(([code, info]) => [
        `\`${code}\``,
        String(info.status),
        info.phase,
        info.retry,
        `\`${info.proxyStatus}\``,
        info.meaning,
      ]);
    page += `\n## ${heading}\n\n${table(['Code', 'Status', 'Phase', 'Retry', 'Proxy-Status', 'Meaning'], rows)}`;
  }
  return page;
}
