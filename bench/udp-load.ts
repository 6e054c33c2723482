/**
 * Datagrams in a closed loop: every client has a socket of its own and sends its next datagram when the answer to the last has come, or
 * after a while without one.
 *
 * Arguments: port, seconds, clients. Prints a `LoadResult` as JSON and ends.
 */
import type { DatagramHandler, DatagramSocket } from '../src/net/datagram-socket.ts';
import { connectDatagrams } from '../src/net/datagrams.ts';
import { quantile } from './statistics.ts';
import type { LoadResult } from './wrk.ts';

/** As many bytes as a question to a name server may have. */
const DATAGRAM = Buffer.alloc(64, 'q');
const RETRY_MS = 500;
const MAX_SAMPLES = 1_000_000;

const [port = 0, seconds = 0, count = 0] = process.argv.slice(2).map(Number);
const latenciesUs = new Float64Array(MAX_SAMPLES);
let answers = 0;
let errors = 0;
let over = false;

class Client implements DatagramHandler {
  sentMs = 0;
  readonly #socket: DatagramSocket = connectDatagrams('127.0.0.1', port, this);

  send(): void {
    this.sentMs = performance.now();
    if (this.#socket.send(DATAGRAM, DATAGRAM.length) !== 'sent') errors += 1;
  }

  onDatagram(): void {
    if (over) return;
    latenciesUs[answers++ % MAX_SAMPLES] = (performance.now() - this.sentMs) * 1000;
    this.send();
  }

  onRefused(): void {
    errors += 1;
  }
}

const clients = Array.from({ length: count }, () => new Client());
const startMs = performance.now();
for (const client of clients) client.send();
while (performance.now() - startMs < seconds * 1000) {
  await Bun.sleep(50);
  const staleMs = performance.now() - RETRY_MS;
  for (const client of clients) {
    if (client.sentMs >= staleMs) continue;
    errors += 1;
    client.send();
  }
}
over = true;
const measured = latenciesUs.slice(0, Math.min(answers, MAX_SAMPLES)).sort();
const result: LoadResult = {
  requests: answers,
  seconds: (performance.now() - startMs) / 1000,
  p50Us: quantile(measured, 0.5),
  p99Us: quantile(measured, 0.99),
  errors,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
