import { formatAddress } from '../config/schema/address.ts';
import type { EndpointConfig } from '../config/schema/pool.ts';
import type { RuntimeChange } from '../model/endpoint-control.ts';
import type { AdminState } from '../model/endpoint.ts';

/** Who made a change, and when. */
export interface Stamp {
  readonly by: string;
  readonly sinceWallMs: number;
}

/** A value that stands as long as the file says of the same thing what it said then. */
interface Standing<T, Was> extends Stamp {
  readonly value: T;
  readonly was: Was;
}

/** What was changed of one endpoint at run time. Plain JSON. */
export interface EndpointOverride {
  /** Added (its configuration) or removed (undefined); was: the entry of the file, undefined when there was none. */
  membership?: Standing<EndpointConfig | undefined, EndpointConfig | undefined> | undefined;
  state?: Standing<AdminState, EndpointConfig> | undefined;
  weight?: Standing<number, EndpointConfig> | undefined;
}

/** Whether two values are the same as JSON. */
export function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The override as far as it stands against this entry of a file; undefined when nothing of it does. */
export function standing(
  override: EndpointOverride,
  entry: EndpointConfig | undefined,
): EndpointOverride | undefined {
  const { membership, state, weight } = override;
  if (membership !== undefined && sameJson(membership.was, entry)) return { membership };
  if (entry === undefined) return undefined;
  // The same name at another address is another server: what was wanted of the old one does not hold for it.
  const left: EndpointOverride = {};
  if (state?.was.state === entry.state && sameJson(state.was.address, entry.address)) left.state = state;
  if (weight?.was.weight === entry.weight && sameJson(weight.was.address, entry.address))
    left.weight = weight;
  return left.state === undefined && left.weight === undefined ? undefined : left;
}

/** What an entry of a file becomes under an override; undefined when its endpoint is removed. */
export function overridden(
  entry: EndpointConfig,
  override: EndpointOverride | undefined,
): EndpointConfig | undefined {
  const { membership, state, weight } =
    (override === undefined ? undefined : standing(override, entry)) ?? {};
  if (membership !== undefined) return membership.value;
  return { ...entry, state: state?.value ?? entry.state, weight: weight?.value ?? entry.weight };
}

/** The override as people are shown it. */
export function changesOf(
  pool: string,
  endpoint: string,
  { membership, state, weight }: EndpointOverride,
): RuntimeChange[] {
  const at = { pool, endpoint };
  const changes: RuntimeChange[] = [];
  if (membership !== undefined) {
    const { value, was, by, sinceWallMs } = membership;
    const file = was === undefined ? null : formatAddress(was.address);
    changes.push(
      value === undefined
        ? { ...at, kind: 'removed', value: null, file, by, sinceWallMs }
        : { ...at, kind: 'added', value: formatAddress(value.address), file, by, sinceWallMs },
    );
    if (value !== undefined && value.state !== 'enabled')
      changes.push({ ...at, kind: 'state', value: value.state, file: null, by, sinceWallMs });
  }
  if (state !== undefined) {
    const { value, was, by, sinceWallMs } = state;
    changes.push({ ...at, kind: 'state', value, file: was.state, by, sinceWallMs });
  }
  if (weight !== undefined) {
    const { value, was, by, sinceWallMs } = weight;
    changes.push({ ...at, kind: 'weight', value, file: was.weight, by, sinceWallMs });
  }
  return changes;
}
