/** Both tiers and two endpoints on this machine, until Ctrl-C: `bin/bun examples/two-tier/run.ts [FOLDER [ENDPOINT_PORTS]]`. */
import { join } from 'node:path';

const [folder = import.meta.dir, ports = '3001,3002'] = process.argv.slice(2);
const program = join(import.meta.dir, '../../bin/pointsman');

/** Endpoints that say who they are and who asked, as they were told. */
for (const port of ports.split(',')) {
  Bun.serve({
    hostname: '127.0.0.1',
    port: Number(port),
    fetch: ({ headers }) => Response.json({ endpoint: port, client: headers.get('x-forwarded-for') }),
  });
}

const tiers = ['l7-1', 'l7-2', 'l4'].map((name) =>
  Bun.spawn([program, 'run', '-c', join(folder, `${name}.yaml`)], {
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
  }),
);
const stop = (): void => tiers.forEach((tier) => tier.kill());
process.once('SIGINT', stop).once('SIGTERM', stop);
const codes = await Promise.all(tiers.map((tier) => tier.exited));
process.exit(Math.max(...codes));
