/** A status as written: `404`, `"404"` or `"200-299"`. */
export type StatusRange = number | string;

const LOWEST = 100;
const HIGHEST = 599;

/** First and last status of `404` or `200-299`; undefined when it is neither, or outside 100 to 599. */
export function parseStatusRange(range: StatusRange): readonly [first: number, last: number] | undefined {
  const match = /^(\d{3})(?:-(\d{3}))?$/.exec(String(range));
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first >= LOWEST && last <= HIGHEST && first <= last ? [first, last] : undefined;
}

/**
 * A test for "is this status one of these?", answered from a table. Ranges come from a checked configuration.
 * @throws RangeError on a range that `parseStatusRange` does not know.
 */
export function parseStatusSet(ranges: StatusRange | readonly StatusRange[]): (status: number) => boolean {
  const member = new Uint8Array(HIGHEST + 1);
  for (const range of Array.isArray(ranges) ? (ranges as readonly StatusRange[]) : [ranges as StatusRange]) {
    const bounds = parseStatusRange(range);
    if (bounds === undefined) throw new RangeError(`not a status or a range of them: ${range}`);
    member.fill(1, bounds[0], bounds[1] + 1);
  }
  return (status) => member[status] === 1;
}
