import type { Certificate } from '../certificate.ts';
import type { Workspace } from '../workspace.ts';

/** The job that every proxy is given, in its own language. */
export interface Job {
  /** `tcp`, `udp`: bytes are passed on, and nobody looks at the requests in them. */
  readonly protocol: 'http' | 'tcp' | 'udp';
  /** Each datagram is a session of its own, which ends with its answer. */
  readonly eachDatagram: boolean;
  /** Clients speak TLS 1.3, with HTTP/2 or HTTP/1.1 as they choose; undefined for no TLS. */
  readonly certificate: Certificate | undefined;
  readonly port: number;
  readonly endpointPorts: readonly number[];
  /** Endpoints speak HTTP/2 without TLS. */
  readonly http2Endpoints: boolean;
  /** All requests are calls of gRPC. */
  readonly grpc: boolean;
  /** Path prefixes `/route-00000/` and so on, all leading to the same endpoints; any other path goes there too. */
  readonly routeCount: number;
  /** Client connections to have room for. */
  readonly connections: number;
  /** Bodies are large: buffers may be, where small requests would pay for them. */
  readonly largeBodies: boolean;
  /** `false`: nginx and HAProxy forward requests as they are, while Pointsman runs with its defaults. */
  readonly sameHeaders: boolean;
}

/** How one proxy is found, configured and started. */
export interface ProxyKind {
  readonly name: string;
  /** How to get it when it is missing. */
  readonly install: string;
  /** It cannot pass on datagrams. */
  readonly withoutUdp?: boolean;
  /** It cannot speak HTTP/2 to endpoints, calls of gRPC excepted. */
  readonly withoutHttp2Endpoints?: boolean;
  /** Its version, or undefined when it is not installed. */
  version(): Promise<string | undefined>;
  /** Writes the configuration of `job` and returns the command that serves it in the foreground. */
  command(job: Job, workspace: Workspace): readonly string[];
}

/** The path prefix of a route. */
export function routePath(index: number): string {
  return `/route-${String(index).padStart(5, '0')}/`;
}

/** The paths of all routes of a job. */
export function routePaths(count: number): string[] {
  return Array.from({ length: count }, (_, index) => routePath(index));
}

/** The first match of `pattern` in what `command` prints, on either stream; undefined when it cannot be run. */
export async function versionBy(command: readonly string[], pattern: RegExp): Promise<string | undefined> {
  if (Bun.which(command[0] ?? '') === null) return undefined;
  const child = Bun.spawn([...command], { stdout: 'pipe', stderr: 'pipe' });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return pattern.exec(out + err)?.[1];
}
