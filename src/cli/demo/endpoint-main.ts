/**
 * One endpoint of the demonstration, a process of its own: `bun endpoint-main.ts NAME PORT DELAY_MS`. Tells its parent over
 * IPC on which port it listens, and ends when the parent does, however that ends.
 */
const [name = '', port = '0', delayMs = '0'] = process.argv.slice(2);

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(port),
  development: false,
  reusePort: false,
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === '/health') return new Response('ok\n');
    await Bun.sleep(Number(delayMs));
    const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-endpoint': name };
    return new Response(`endpoint ${name} (pid ${process.pid}) answers ${request.method} ${pathname}\n`, {
      headers,
    });
  },
});

// Ctrl-C reaches every process of the terminal. The balancer goes first: it has requests to finish here.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
process.send?.(server.port);
