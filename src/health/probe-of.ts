import type { Address } from '../config/schema/address.ts';
import type { HealthCheckConfig } from '../config/schema/pool.ts';
import { bytesOf } from '../config/written-bytes.ts';
import { dialogueProbe } from './dialogue-probe.ts';
import { dnsMatcher, dnsQuery } from './dns-query.ts';
import { matcherOf } from './expected-bytes.ts';
import { grpcProbe } from './grpc-probe.ts';
import { httpProbe } from './http-probe.ts';
import { mysqlDialogue } from './mysql-dialogue.ts';
import { postgresDialogue } from './postgres-dialogue.ts';
import type { Probe, ProbeDeps } from './probe.ts';
import type { EndpointProtocol } from './probe-stream.ts';
import { redisDialogue } from './redis-dialogue.ts';
import { smtpDialogue } from './smtp-dialogue.ts';
import { tcpDialogue } from './tcp-dialogue.ts';
import { tcpProbe } from './tcp-probe.ts';
import { tlsProbe } from './tls-probe.ts';
import { udpProbe } from './udp-probe.ts';

/** The probe that a health check describes, for one endpoint. */
export function probeOf(
  deps: ProbeDeps,
  endpoint: Address,
  protocol: EndpointProtocol,
  config: HealthCheckConfig,
): Probe {
  const address: Address = { host: endpoint.host, port: config.port ?? endpoint.port };
  const { timeout } = config;
  if (config.http !== undefined) return httpProbe(deps, address, protocol, config.http, timeout);
  if (config.grpc !== undefined) return grpcProbe(deps, address, protocol, config.grpc.service, timeout);
  if (config.tls !== undefined) return tlsProbe(deps, address, config.tls, timeout);
  if (config.udp !== undefined) {
    const { send, expect } = config.udp;
    const matcher = expect === undefined ? undefined : matcherOf(expect);
    return udpProbe(deps, address, bytesOf(send), matcher, timeout);
  }
  if (config.dns !== undefined)
    return udpProbe(deps, address, dnsQuery(config.dns), dnsMatcher(config.dns), timeout);
  if (config.redis !== undefined)
    return dialogueProbe(deps, address, redisDialogue(config.redis), 'PING answered PONG', timeout);
  if (config.postgres !== undefined)
    return dialogueProbe(deps, address, postgresDialogue(config.postgres), 'takes sessions', timeout);
  if (config.mysql !== undefined)
    return dialogueProbe(deps, address, mysqlDialogue(config.mysql), 'takes sessions', timeout);
  if (config.smtp !== undefined)
    return dialogueProbe(deps, address, smtpDialogue(config.smtp), 'greeted and took EHLO', timeout);
  const steps = config.tcp === undefined ? [] : tcpDialogue(config.tcp);
  return steps.length === 0
    ? tcpProbe(deps, address, timeout)
    : dialogueProbe(deps, address, steps, 'answered as expected', timeout);
}
