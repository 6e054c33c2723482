import type { EndpointReport } from '../admin/pool-report.ts';
import { type AdminClient, AdminError } from './admin-client.ts';
import type { EndpointPlace } from './endpoint-place.ts';
import { drainText, stateReason, stateWord, workText } from './endpoint-text.ts';
import { EXIT } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** How often it is looked, milliseconds. */
const LOOK_EVERY_MS = 100;
/** How often it is said who is left, when that changes, milliseconds. */
const TELL_EVERY_MS = 1000;

/** How waiting ended. */
export interface Waited {
  readonly code: number;
  /** The endpoint as it is now; undefined when it has left. */
  readonly report: EndpointReport | undefined;
}

/** Prints what changes, not more often than people read. */
class Progress {
  readonly #terminal: Terminal;
  readonly #place: EndpointPlace;
  #told = '';
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal, place: EndpointPlace) {
    this.#terminal = terminal;
    this.#place = place;
  }

  tell(text: string): void {
    const nowMs = performance.now();
    if (text === this.#told || nowMs - this.#toldAtMs < TELL_EVERY_MS) return;
    this.#told = text;
    this.#toldAtMs = nowMs;
    this.#terminal.err(`${this.#place.shown}: ${text}\n`);
  }
}

async function look(client: AdminClient, place: EndpointPlace): Promise<EndpointReport | undefined> {
  const { status, body } = await client.ask('GET', place.path, undefined, [404]);
  return status === 404 ? undefined : (body as EndpointReport);
}

/** Waits until nothing is under way on an endpoint that was taken out, or its deadline comes, or it has left. */
export async function waitUntilEmpty(
  client: AdminClient,
  place: EndpointPlace,
  terminal: Terminal,
): Promise<Waited> {
  const progress = new Progress(terminal, place);
  for (;;) {
    const report = await look(client, place);
    if (report === undefined) return { code: EXIT.ok, report };
    const { drain } = report;
    if (drain === null) throw new AdminError(`${place.shown} was enabled again by somebody else`);
    const { left } = drain;
    if (left !== null && left.requests + left.tunnels + left.sessions > 0) {
      terminal.err(`${place.shown}: ${workText(left)} left at the deadline\n`);
      return { code: EXIT.deadline, report };
    }
    if (drain.empty && !drain.leaves) return { code: EXIT.ok, report };
    progress.tell(drainText(drain));
    await Bun.sleep(LOOK_EVERY_MS);
  }
}

/** Waits until an endpoint that was enabled takes traffic. */
export async function waitUntilOpen(
  client: AdminClient,
  place: EndpointPlace,
  terminal: Terminal,
): Promise<Waited> {
  const progress = new Progress(terminal, place);
  for (;;) {
    const report = await look(client, place);
    if (report === undefined) throw new AdminError(`${place.shown} has left the pool`);
    if (report.state.admin !== 'enabled') {
      throw new AdminError(`${place.shown} was made ${report.state.admin} by somebody else`);
    }
    if (report.state.availability === 'open') return { code: EXIT.ok, report };
    progress.tell(`${stateWord(report)}, ${stateReason(report)}`);
    await Bun.sleep(LOOK_EVERY_MS);
  }
}
