import type { HeadersFilterConfig } from '../../config/schema/filters.ts';
import { type FieldLine, fieldLine, type FieldName, fieldName, type Fields } from '../../model/fields.ts';
import type { Filter, FilterContext } from '../../model/filter.ts';
import { Known } from '../../model/known-fields.ts';
import type { RequestHead, ResponseHead } from '../../model/message.ts';

type Edits = NonNullable<HeadersFilterConfig['request']>;

/** What is done to one block of fields: first what is set or removed goes, then what is set or added comes. */
class FieldEdits {
  readonly #gone: FieldName[] = [];
  readonly #lines: FieldLine[] = [];
  /** What Host is set to; undefined when it stays. */
  readonly host: string | undefined;

  constructor(edits: Edits) {
    let host: string | undefined;
    for (const name of edits.remove) this.#gone.push(fieldName(name));
    for (const [name, value] of Object.entries(edits.set)) {
      const prepared = fieldName(name);
      this.#gone.push(prepared);
      if (prepared.id === Known.Host) host = value;
      else this.#lines.push(fieldLine(name, value));
    }
    for (const [name, value] of Object.entries(edits.add)) this.#lines.push(fieldLine(name, value));
    this.host = host;
  }

  apply(fields: Fields): void {
    for (let index = 0; index < this.#gone.length; index++) fields.remove(this.#gone[index]!);
    for (let index = 0; index < this.#lines.length; index++) fields.add(this.#lines[index]!);
  }
}

function applyToRequest(edits: FieldEdits, request: RequestHead): undefined {
  edits.apply(request.fields);
  if (edits.host === undefined) return;
  request.authority = edits.host;
  request.hostReplaced = true;
}

/**
 * `headers`: sets, adds and removes header lines of the request, the response, or both. Setting Host changes the
 * authority that endpoints see; X-Forwarded-Host keeps what the client asked for.
 */
export function headersFilter(config: HeadersFilterConfig): Filter {
  const request = config.request === undefined ? undefined : new FieldEdits(config.request);
  const response = config.response === undefined ? undefined : new FieldEdits(config.response);
  return {
    name: 'headers',
    ...(request && { onRequest: (context: FilterContext) => applyToRequest(request, context.request) }),
    ...(response && { onResponse: (_: FilterContext, head: ResponseHead) => response.apply(head.fields) }),
  };
}
