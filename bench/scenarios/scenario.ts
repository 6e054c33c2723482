import type { Workspace } from '../workspace.ts';
import type { LoadResult } from '../wrk.ts';

/** What a load is pointed at. */
export interface Target {
  readonly port: number;
  readonly seconds: number;
  /** Connections under load. */
  readonly connections: number;
  /** Connections that lie idle beside the load. */
  readonly idleConnections: number;
  /** Requests a second that the slowest of the proxies did in its warm-up; 0 during the warm-up. */
  readonly capacity: number;
  readonly workspace: Workspace;
}

/** Idle connections that are held while load runs. */
export interface Held {
  /** How many there are. */
  readonly count: number;
  /** Lets go, and returns how many were still open. */
  release(): Promise<number>;
}

/** One row group of a table: every proxy runs it, in a process of its own. */
export interface Case {
  readonly title: string;
  /** What the proxies are configured for; the load speaks HTTP all the same but with udp. Default: http. */
  readonly protocol?: 'tcp' | 'udp';
  /** Each datagram is a session of its own, which ends with its answer. */
  readonly eachDatagram?: boolean;
  /** Clients speak TLS, and HTTP/2 if they like. */
  readonly tls?: boolean;
  /** Endpoints speak HTTP/2 without TLS; proxies that cannot are left out. */
  readonly http2Endpoints?: boolean;
  /** Requests are unary calls of gRPC; endpoints speak HTTP/2, and nginx can pass these on. */
  readonly grpc?: boolean;
  readonly routeCount: number;
  readonly largeBodies?: boolean;
  /** The load of the counted rounds. */
  readonly load: (target: Target) => Promise<LoadResult>;
  /** The load of the warm-up; the same when absent. */
  readonly warmUp?: (target: Target) => Promise<LoadResult>;
  /** Opens connections after the warm-up and keeps them through all rounds. */
  readonly hold?: (target: Target) => Promise<Held>;
}

/** A question that one table answers. Cases of one scenario are interleaved like the proxies are. */
export interface Scenario {
  /** As on the command line. */
  readonly name: string;
  readonly about: string;
  readonly cases: readonly Case[];
}
