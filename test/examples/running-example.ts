import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { Pointsman } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';

export const EXAMPLES = new URL('../../examples', import.meta.url).pathname;

/** An example with free ports in the place of those that its file names. */
export class RunningExample {
  readonly #ports: ReadonlyMap<string, number>;
  readonly #directory: string;
  readonly #file: string;
  #pointsman: Pointsman | undefined;
  #endpoints: readonly Bun.Server<undefined>[] = [];

  constructor(ports: ReadonlyMap<string, number>, directory: string, file: string) {
    this.#ports = ports;
    this.#directory = directory;
    this.#file = file;
  }

  /** The port that stands for one of the file. */
  port(written: number): number {
    return this.#ports.get(String(written))!;
  }

  get directory(): string {
    return this.#directory;
  }

  /** Endpoints at these ports of the file; each tells its port in the file, and what it was asked for. */
  serve(...written: readonly number[]): void {
    this.#endpoints = written.map((port) =>
      Bun.serve({
        hostname: '127.0.0.1',
        port: this.port(port),
        fetch: (request) =>
          Response.json(
            { endpoint: port, path: new URL(request.url).pathname, debug: request.headers.get('x-debug') },
            { headers: { server: 'secret' } },
          ),
      }),
    );
  }

  /** Stops the endpoint at one of the ports of the file, with its connections. */
  async kill(written: number): Promise<void> {
    await this.#endpoints.find(({ port }) => port === this.port(written))?.stop(true);
  }

  async start(): Promise<void> {
    this.#pointsman = new Pointsman(this.#directory, ['run', '-c', this.#file], {});
    await this.#pointsman.started(['admin']);
  }

  ask(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port(8080)}${path}`, { headers, redirect: 'manual' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pointsman?.stop('SIGKILL');
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.stop(true)));
  }
}

/** Makes an example ready to run in a temporary folder. */
export async function prepare(example: string): Promise<RunningExample> {
  const source = join(EXAMPLES, example);
  const text = await Bun.file(source).text();
  const written = [...new Set([...text.matchAll(/127\.0\.0\.1:(\d+)/g)].map((match) => match[1]!))];
  const free = await freePorts(written.length);
  const ports = new Map(written.map((port, index) => [port, free[index]!]));
  const directory = mkdtempSync(join(tmpdir(), 'pointsman-example-'));
  const file = join(directory, basename(source));
  const library = join(EXAMPLES, '../src/config/define-config.ts');
  writeFileSync(
    file,
    text
      .replaceAll(/127\.0\.0\.1:(\d+)/g, (_, port: string) => `127.0.0.1:${ports.get(port)!}`)
      .replace("'pointsman'", JSON.stringify(library)),
  );
  return new RunningExample(ports, directory, file);
}
