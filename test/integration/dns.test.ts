import { afterEach, expect } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { prepare, type RunningExample } from '../examples/running-example.ts';
import { testWith, whichProgram } from '../support/programs.ts';
import { ServiceProcess, untilTrue } from '../support/services.ts';

const LONG_MS = 60_000;
const running: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.close()));
});

async function dnsmasq(port: number, ip: string): Promise<ServiceProcess> {
  const server = new ServiceProcess();
  running.push(server);
  const options = ['--no-daemon', '--no-resolv', '--no-hosts', '--conf-file=/dev/null', '--bind-interfaces'];
  const own = ['--listen-address=127.0.0.1', `--port=${port}`, '--user=', '--group=', '--pid-file='];
  const big = Array.from({ length: 80 }, (_, index) => `--host-record=big.test,192.0.2.${index + 1}`);
  await server.run([whichProgram('dnsmasq')!, ...options, ...own, `--address=/example.test/${ip}`, ...big]);
  return server;
}

async function unbound(port: number, ip: string): Promise<ServiceProcess> {
  const server = new ServiceProcess();
  running.push(server);
  const file = join(server.directory, 'unbound.conf');
  writeFileSync(
    file,
    `server:
  interface: 127.0.0.1@${port}
  port: ${port}
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  directory: "${server.directory}"
  use-syslog: no
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  local-zone: "example.test." static
  local-data: "example.test. A ${ip}"
remote-control:
  control-enable: no
`,
  );
  await server.run([whichProgram('unbound')!, '-c', file, '-d']);
  return server;
}

async function dig(port: number, ...more: readonly string[]): Promise<string> {
  const asked = ['@127.0.0.1', '-p', String(port), '+short', '+tries=1', '+time=1', ...more];
  const child = Bun.spawn([whichProgram('dig')!, ...asked], { stdout: 'pipe', stderr: 'ignore' });
  return (await new Response(child.stdout).text()).trim();
}

async function untilAnswering(port: number, answer: string): Promise<void> {
  await untilTrue(`the answer ${answer}`, async () => (await dig(port, 'example.test')) === answer);
}

/** Answers to so many queries, each once. */
async function answers(port: number, count: number): Promise<string> {
  const all = await Promise.all(Array.from({ length: count }, () => dig(port, 'example.test')));
  return [...new Set(all)].toSorted((a, b) => a.localeCompare(b)).join(' ');
}

async function startExample(): Promise<RunningExample> {
  const example = await prepare('dns/pointsman.yaml');
  running.push({ close: () => example[Symbol.asyncDispose]() });
  return example;
}

testWith('dnsmasq', 'unbound', 'dig')(
  'examples/dns: two name servers of different make share the queries; one is killed, one hangs',
  async () => {
    const example = await startExample();
    const [a, b] = [example.port(5301), example.port(5302)];
    const first = await dnsmasq(a, '192.0.2.1');
    const second = await unbound(b, '192.0.2.2');
    await Promise.all([untilAnswering(a, '192.0.2.1'), untilAnswering(b, '192.0.2.2')]);
    await example.start();
    const port = example.port(5353);
    // Two are drawn by chance: that one of them answers none has a chance of 2^-35.
    expect(await answers(port, 36)).toBe('192.0.2.1 192.0.2.2');
    expect(await dig(port, '+tcp', 'example.test')).toBeOneOf(['192.0.2.1', '192.0.2.2']);

    await first.kill();
    // A query may meet the dead one before it is known; a resolver asks again.
    await untilTrue('the other one alone', async () => (await answers(port, 6)) === '192.0.2.2');
    expect(await answers(port, 10)).toBe('192.0.2.2');

    await dnsmasq(a, '192.0.2.1');
    await untilTrue('its return', async () => (await answers(port, 10)) === '192.0.2.1 192.0.2.2');

    process.kill(second.pid, 'SIGSTOP');
    await untilTrue('the living one alone', async () => (await answers(port, 6)) === '192.0.2.1');
    process.kill(second.pid, 'SIGCONT');
    await untilTrue('its return', async () => (await answers(port, 10)) === '192.0.2.1 192.0.2.2');
  },
  LONG_MS,
);

testWith('dnsmasq', 'dig')(
  'examples/dns: an answer that does not fit a datagram is asked for again by TCP',
  async () => {
    const example = await startExample();
    await Promise.all([dnsmasq(example.port(5301), '192.0.2.1'), dnsmasq(example.port(5302), '192.0.2.1')]);
    await example.start();
    const port = example.port(5353);
    await untilAnswering(port, '192.0.2.1');
    const addresses = await dig(port, '+bufsize=512', 'big.test');
    expect(addresses.split('\n').length).toBe(80);
    expect((await dig(port, '+ignore', '+bufsize=512', 'big.test')).split('\n').length).toBeLessThan(80);
  },
  LONG_MS,
);
