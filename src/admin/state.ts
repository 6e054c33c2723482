import type { Control, Upgrades } from '../model/control.ts';
import type { EndpointControl } from '../model/endpoint-control.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { RuntimeView, TrafficWindow } from '../model/runtime-view.ts';
import type { Clock } from '../util/clock.ts';

/** What the admin API shows and changes; put together by `supervisor/`. */
export interface AdminState {
  readonly view: RuntimeView;
  readonly control: Control;
  readonly upgrades: Upgrades;
  readonly endpoints: EndpointControl;
  readonly clock: Clock;
  /** Brings the counters that `view` shows up to now. */
  refresh(): Promise<void>;
  /** Resolves when what was changed holds for all traffic. */
  settle(): Promise<void>;
  window(endpoint: Endpoint): TrafficWindow;
  /** All metrics, in the format that the Accept header asks for. */
  metrics(accept: string): Promise<{ readonly contentType: string; readonly body: string }>;
}
