/**
 * An open-loop load generator: requests are due at fixed times, whatever became of those before, and latency counts
 * from the time a request was due. A slow answer therefore delays nobody's clock (no coordinated omission; see the
 * wrk2 generator by Gil Tene).
 *
 * Arguments: port, requests a second, seconds, connections. Prints a `PacedResult` as JSON: all requests sent, with the
 * latencies of those after a short rehearsal. Ends by itself.
 */
import type { Socket } from 'bun';

import { quantile } from './statistics.ts';
import type { LoadResult } from './wrk.ts';

export interface PacedResult extends LoadResult {
  /** How late the generator itself was in writing what was due and had a free connection, 99th percentile. */
  readonly lateP99Us: number;
}

/** One connection, with at most one request under way. */
interface Lane {
  socket: Socket<Lane> | undefined;
  /** When the request under way was due; below 0: none is. */
  dueMs: number;
  /** When the answer before was complete: a request cannot be written earlier, which is not the generator's fault. */
  freeSinceMs: number;
  /** Bytes of the answer that are still to come; 0: its head is not here yet. */
  leftBytes: number;
}

const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
/** How long requests under way may take after the last one was due. */
const GRACE_MS = 5000;
/** Same load before the counted one, for the generator's own sake: its code is not compiled yet and runs late. */
const REHEARSAL_SECONDS = 1;

const [port = 0, rate = 0, seconds = 0, connections = 0] = process.argv.slice(2).map(Number);
const intervalMs = 1000 / rate;
const latenciesUs = new Float64Array(rate * Math.max(seconds, REHEARSAL_SECONDS));
const lateUs = new Float64Array(latenciesUs.length);
const free: Lane[] = [];
let startMs = 0;
let total = 0;
let sent = 0;
let done = 0;
let errors = 0;

/** Writes every request that is due, as far as there are free connections. */
function sendDue(): void {
  const nowMs = performance.now();
  while (sent < total) {
    const dueMs = startMs + sent * intervalMs;
    if (dueMs > nowMs) return;
    const lane = free.pop();
    if (lane === undefined) return;
    lane.dueMs = dueMs;
    lateUs[sent++] = (nowMs - Math.max(dueMs, lane.freeSinceMs)) * 1000;
    lane.socket?.write(REQUEST);
  }
}

function onData(socket: Socket<Lane>, bytes: Buffer): void {
  const lane = socket.data;
  if (lane.leftBytes === 0) {
    const headBytes = bytes.indexOf('\r\n\r\n') + 4;
    const head = bytes.latin1Slice(0, headBytes);
    if (headBytes < 4 || !head.startsWith('HTTP/1.1 200')) {
      socket.terminate();
      return;
    }
    lane.leftBytes = headBytes + Number(/\ncontent-length: (\d+)/i.exec(head)?.[1]);
  }
  lane.leftBytes -= bytes.length;
  if (lane.leftBytes > 0) return;
  lane.freeSinceMs = performance.now();
  latenciesUs[done++] = (lane.freeSinceMs - lane.dueMs) * 1000;
  lane.dueMs = -1;
  lane.leftBytes = 0;
  free.push(lane);
  sendDue();
}

function onClose(socket: Socket<Lane>): void {
  const lane = socket.data;
  lane.socket = undefined;
  if (lane.dueMs >= 0) errors += 1;
  const index = free.indexOf(lane);
  if (index >= 0) free.splice(index, 1);
}

async function connect(): Promise<void> {
  const lane: Lane = { socket: undefined, dueMs: -1, freeSinceMs: 0, leftBytes: 0 };
  lane.socket = await Bun.connect<Lane>({
    hostname: '127.0.0.1',
    port,
    data: lane,
    socket: { data: onData, close: onClose, error: onClose },
  });
  free.push(lane);
}

function report(requests: number, seconds: number): void {
  const measured = latenciesUs.slice(0, done).sort();
  const result: PacedResult = {
    requests,
    seconds,
    p50Us: quantile(measured, 0.5),
    p99Us: quantile(measured, 0.99),
    lateP99Us: quantile(lateUs.slice(0, sent).sort(), 0.99),
    errors: total - done,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}

function underWay(): boolean {
  return done + errors < total;
}

/** Sends `rate` requests a second for `seconds` and waits for the answers; returns how long that took, in seconds. */
async function play(seconds: number): Promise<number> {
  sent = 0;
  done = 0;
  errors = 0;
  total = Math.floor(rate * seconds);
  startMs = performance.now() + 10;
  // Answers wake us up far more often than this; it only bridges silence.
  const deadlineMs = startMs + seconds * 1000 + GRACE_MS;
  while (underWay() && performance.now() < deadlineMs) {
    sendDue();
    await Bun.sleep(1);
  }
  return (performance.now() - startMs) / 1000;
}

await Promise.all(Array.from({ length: connections }, connect));
const rehearsalSeconds = await play(REHEARSAL_SECONDS);
const rehearsed = done;
const playedSeconds = await play(seconds);
report(rehearsed + done, rehearsalSeconds + playedSeconds);
