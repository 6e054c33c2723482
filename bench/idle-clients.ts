/**
 * Clients that hold connections: each sends one request, reads the answer and then keeps the connection open.
 *
 * Arguments: port, connections. Prints `ready N` when N are held; on the end of standard input prints `open N`, how
 * many still are, and ends.
 */
import type { Socket } from 'bun';

const BATCH = 100;
const REQUEST = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

const [port = 0, connections = 0] = process.argv.slice(2).map(Number);
let open = 0;

/** Resolves when the answer is there, or when there will be none. */
function connect(): Promise<void> {
  return new Promise((resolve) => {
    let answered = false;
    const socket = {
      open: (opened: Socket) => void opened.write(REQUEST),
      data: () => {
        if (answered) return;
        answered = true;
        open += 1;
        resolve();
      },
      close: () => {
        if (answered) open -= 1;
        resolve();
      },
      error: () => resolve(),
    };
    Bun.connect({ hostname: '127.0.0.1', port, socket }).catch(() => resolve());
  });
}

for (let started = 0; started < connections; started += BATCH) {
  await Promise.all(Array.from({ length: Math.min(BATCH, connections - started) }, connect));
}
process.stdout.write(`ready ${open}\n`);
for await (const _ of Bun.stdin.stream()) continue;
process.stdout.write(`open ${open}\n`);
process.exit(0);
