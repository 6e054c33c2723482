/**
 * An endpoint as a program of its own, so that it can be killed, stopped and started again as real ones are:
 * `bun endpoint-main.ts NAME PORT LOG`. Its parent tells it over IPC how to behave. It writes a line to LOG for every
 * request whose head it has read, before anything else, so that what it took in is known even after kill -9.
 */
import { openSync, writeSync } from 'node:fs';
import net from 'node:net';

import type { Behaviour } from './endpoint-process.ts';
import { valueOf } from './strict-fields.ts';
import type { HttpMessage } from './strict-http.ts';
import { Wire } from './wire.ts';

const [name = '', port = '', logFile = ''] = process.argv.slice(2);
const log = openSync(logFile, 'a');
const PADDING = '.'.repeat(2000);

let behaviour: Behaviour = 'ok';
let wires: Wire[] = [];

function answerHead(request: HttpMessage, status: string, length: number): string {
  const id = valueOf(request, 'x-id') ?? '';
  return `HTTP/1.1 ${status}\r\nContent-Length: ${length}\r\nX-Endpoint: ${name}\r\nX-Id: ${id}\r\n\r\n`;
}

/** Answers as it was told to; false when the connection is not to be used again. */
async function answer(wire: Wire, request: HttpMessage): Promise<boolean> {
  if (behaviour === 'hang') return new Promise(() => {});
  const probe = request.target === '/health';
  const body = `${valueOf(request, 'x-id') ?? ''} ${request.body.length} ${PADDING}`;
  const head = answerHead(request, '200 OK', body.length);
  if (probe || behaviour === 'ok') wire.send(head + body);
  else if (behaviour === 'slow') {
    await Bun.sleep(150);
    wire.send(head + body);
  } else if (behaviour === 'error') {
    wire.send(`${answerHead(request, '500 Internal Server Error', 5)}error`);
  } else if (behaviour === 'reset') {
    wire.reset();
    return false;
  } else {
    wire.send(head + body.slice(0, 700));
    await Bun.sleep(5);
    if (behaviour === 'cut') wire.close();
    else wire.reset();
    return false;
  }
  return true;
}

async function serve(wire: Wire): Promise<void> {
  for (;;) {
    const head = await wire.head(600_000);
    if (head === undefined) break;
    writeSync(log, `${head.method} ${valueOf(head, 'x-id') ?? '-'}\n`);
    const parsed = await wire.request(600_000);
    if (parsed.kind !== 'message') break;
    if (!(await answer(wire, parsed.message))) return;
    wire.forget();
  }
  wire.close();
}

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
  const wire = new Wire(socket);
  wires = [...wires.filter(({ ending }) => ending === 'open'), wire];
  void serve(wire).catch(() => wire.close());
});

function listen(then: () => void): void {
  server.listen(Number(port), '127.0.0.1', then);
}

process.on('message', (told: Behaviour) => {
  const was = behaviour;
  behaviour = told;
  const done = () => process.send?.('done');
  if (told === 'refuse') {
    server.close();
    for (const wire of wires) wire.close();
    wires = [];
    done();
  } else if (was === 'refuse') listen(done);
  else {
    if (was === 'hang') for (const wire of wires) wire.close();
    done();
  }
});
process.on('disconnect', () => process.exit(0));
listen(() => process.send?.('done'));
