import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { dial } from './wire.ts';

/** Debian has it in a package of its own, others have it built in. */
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

const START_TIMEOUT_MS = 10_000;

/** A real program that was started on a configuration file of ours. */
export interface ConfiguredProgram {
  /** Its working directory. */
  readonly directory: string;
  [Symbol.asyncDispose](): Promise<void>;
}

async function listens(port: number): Promise<boolean> {
  try {
    (await dial({ host: '127.0.0.1', port })).close();
    return true;
  } catch {
    return false;
  }
}

async function start(
  command: (file: string) => readonly string[],
  configuration: (directory: string) => string,
  port: number,
): Promise<ConfiguredProgram> {
  const directory = mkdtempSync(join(tmpdir(), 'pointsman-program-'));
  const file = join(directory, 'conf');
  writeFileSync(file, configuration(directory));
  const child = Bun.spawn([...command(file)], { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await child.exited;
    rmSync(directory, { recursive: true, force: true });
  };
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await listens(port))) {
    if (child.exitCode === null && performance.now() < deadline) {
      await Bun.sleep(10);
      continue;
    }
    await stop();
    throw new Error(`${command(file)[0]} does not listen: ${await new Response(child.stderr).text()}`);
  }
  return { directory, [Symbol.asyncDispose]: stop };
}

/** nginx with these sections behind its own; `http` and `stream` as they are needed. It is up when `port` accepts. */
export function startNginx(sections: string, port: number): Promise<ConfiguredProgram> {
  const configuration = (
    directory: string,
  ): string => `${existsSync(STREAM_MODULE) ? `load_module ${STREAM_MODULE};` : ''}
daemon off; master_process off; pid ${directory}/pid;
error_log ${directory}/error.log;
events { worker_connections 512; }
${sections.replaceAll('$directory', directory)}
`;
  return start((file) => ['/usr/sbin/nginx', '-c', file], configuration, port);
}

/** HAProxy with these sections; its timeouts are ten seconds. It is up when `port` accepts. */
export function startHaproxy(sections: string, port: number): Promise<ConfiguredProgram> {
  const configuration = (): string => `global
  nbthread 1
defaults
  mode http
  timeout connect 10s
  timeout client 10s
  timeout server 10s
${sections}
`;
  return start((file) => ['/usr/sbin/haproxy', '-db', '-f', file], configuration, port);
}
