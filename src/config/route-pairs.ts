/** A route of whatever kind. */
export interface PairedRoute {
  readonly name?: string | undefined;
}

/**
 * Which route of an earlier configuration each route is. A named route is the one of the same name. One without a name is
 * the one that says the same, wherever it stood; else the one in the same place, if that is nobody else's.
 * @returns for each of `after` the index in `before`, or undefined for a new route; no index comes twice.
 */
export function pairRoutes(
  before: readonly PairedRoute[],
  after: readonly PairedRoute[],
): (number | undefined)[] {
  const byName = new Map<string, number>();
  const byContent = new Map<string, number[]>();
  for (const [index, route] of before.entries()) {
    if (route.name !== undefined) {
      byName.set(route.name, index);
      continue;
    }
    const key = JSON.stringify(route);
    const places = byContent.get(key);
    if (places === undefined) byContent.set(key, [index]);
    else places.push(index);
  }
  const taken = new Set<number>();
  const pairs = after.map((route) => {
    const index =
      route.name === undefined ? byContent.get(JSON.stringify(route))?.shift() : byName.get(route.name);
    if (index !== undefined) taken.add(index);
    return index;
  });
  return pairs.map((pair, index) => {
    if (pair !== undefined || after[index]?.name !== undefined) return pair;
    return index < before.length && before[index]?.name === undefined && !taken.has(index)
      ? index
      : undefined;
  });
}
