import type { CompiledRoute } from '../l7/route.ts';
import type { FilterContext } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';

/** What a filter made of a request. */
export interface FilterEffect {
  readonly filter: string;
  /** What it did, for people. */
  readonly effect: string;
}

export interface Filtered {
  readonly effects: readonly FilterEffect[];
  /** Set when a filter answered the request itself. */
  readonly status?: number;
}

/** Runs the filters of a route on a request, as the data path does, and notes what each changed. */
export function runFilters(route: CompiledRoute<unknown>, context: FilterContext): Filtered {
  const { request } = context;
  const effects: FilterEffect[] = [];
  for (const filter of route.filters) {
    const before = headLines(request);
    const verdict = filter.onRequest?.(context);
    if (verdict instanceof Promise) {
      effects.push({ filter: filter.name, effect: 'answers later; taken as going on' });
      continue;
    }
    if (verdict !== undefined) {
      effects.push({ filter: filter.name, effect: `answers ${verdict.status}` });
      return { effects, status: verdict.status };
    }
    effects.push({ filter: filter.name, effect: difference(before, headLines(request)) });
  }
  return { effects };
}

function difference(before: readonly string[], after: readonly string[]): string {
  const gone = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`);
  const come = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`);
  return gone.length + come.length === 0 ? 'goes on' : [...gone, ...come].join(', ');
}

/** The head as it would be written, without what frames the body. */
export function headLines(request: RequestHead): string[] {
  const host = request.hostReplaced ? [`Host: ${request.authority}`] : [];
  return [`${request.method} ${request.path}${request.query} HTTP/1.1`, ...host, ...request.fields.written()];
}
