import type { Draft } from '../draft.ts';
import type { Path } from '../issue.ts';
import type { Config } from '../schema/config.ts';
import { CHECK_KINDS, type HealthCheckConfig } from '../schema/health-check.ts';
import type { PoolConfig } from '../schema/pool.ts';
import { formatDurationMs } from '../schema/units.ts';
import type { Report } from './report.ts';

/** Each pool by itself: weights, checks, ejection. */
export function checkPools(draft: Draft<Config>, report: Report): void {
  for (const [index, pool] of (draft.pools ?? []).entries()) {
    if (pool === undefined) continue;
    const at: Path = ['pools', index];
    checkShares(pool, at, report);
    checkHealthCheck(pool, at, report);
    checkOutlierDetection(pool, at, report);
    checkAffinity(pool, at, report);
    checkProxyProtocol(pool, at, report);
    checkProtocol(pool, at, report);
  }
}

function checkProtocol(pool: Draft<PoolConfig>, at: Path, report: Report): void {
  const place = { at: [...at, 'protocol'] };
  const tls = report.written([...at, 'tls']);
  if (pool.protocol === 'h2' && !tls) {
    const message = 'protocol h2 is HTTP/2 over TLS, and the pool has no "tls"';
    report.error({
      code: 'conflict',
      ...place,
      message,
      hint: 'add tls: {}, or write h2c for HTTP/2 without TLS',
    });
  } else if (pool.protocol === 'h2c' && tls) {
    const message = 'protocol h2c is HTTP/2 without TLS, and the pool has "tls"';
    report.error({ code: 'conflict', ...place, message, hint: 'write h2' });
  }
  const grpc = [...at, 'healthCheck', 'grpc'];
  if (report.written(grpc) && tls && pool.protocol === 'http1') {
    const message = 'a gRPC check over TLS needs HTTP/2, which the pool does not speak';
    report.error({ code: 'conflict', at: grpc, on: 'key', message, hint: 'add protocol: h2' });
  }
}

function checkProxyProtocol(
  { proxyProtocol, healthCheck }: Draft<PoolConfig>,
  at: Path,
  report: Report,
): void {
  if (proxyProtocol?.version === 'v1' && (proxyProtocol.tlvs?.length ?? 0) > 0) {
    const message = 'v1 tells addresses only';
    report.error({
      code: 'conflict',
      at: [...at, 'proxyProtocol', 'tlvs'],
      on: 'key',
      message,
      hint: 'use v2',
    });
  }
  if (proxyProtocol === undefined && healthCheck?.proxyProtocol === true) {
    const message = 'the pool has no proxyProtocol, so its version is not known';
    report.error({ code: 'conflict', at: [...at, 'healthCheck', 'proxyProtocol'], message });
  }
}

function checkShares(pool: Draft<PoolConfig>, at: Path, report: Report): void {
  const endpoints = pool.endpoints ?? [];
  if (endpoints.length === 0) return;
  const place = { at: [...at, 'endpoints'], on: 'key' } as const;
  if (endpoints.every((endpoint) => endpoint?.weight === 0)) {
    const message = 'every endpoint has weight 0, so no request could go anywhere';
    report.error({ code: 'conflict', ...place, message });
  } else if (endpoints.every((endpoint) => endpoint?.state !== undefined && endpoint.state !== 'enabled')) {
    const message = 'no endpoint is enabled, so new requests get 503 until one is';
    report.warning({ code: 'risky', ...place, message });
  }
}

function checkHealthCheck(pool: Draft<PoolConfig>, at: Path, report: Report): void {
  const check = pool.healthCheck;
  if (check === undefined) return;
  const place = [...at, 'healthCheck'];
  const kinds = CHECK_KINDS.filter((kind) => report.written([...place, kind]));
  if (kinds.length > 1) {
    const message = `a health check is of one kind, not ${kinds.map((kind) => `"${kind}"`).join(' and ')} at once`;
    const where = [...place, kinds[1]!];
    report.error({ code: 'conflict', at: where, on: 'key', message, hint: 'keep one of them' });
  }
  if (check.timeout !== undefined && check.interval !== undefined && check.timeout > check.interval) {
    const key = report.written([...place, 'timeout']) ? 'timeout' : 'interval';
    const message = `the timeout of a check (${formatDurationMs(check.timeout)}) is longer than its interval (${formatDurationMs(check.interval)})`;
    report.error({ code: 'conflict', at: [...place, key], message });
  }
  if (
    check.fastInterval !== undefined &&
    check.interval !== undefined &&
    check.fastInterval > check.interval &&
    report.written([...place, 'fastInterval'])
  ) {
    const message = 'fastInterval is longer than interval, so checks slow down when the state is in doubt';
    report.warning({ code: 'ineffective', at: [...place, 'fastInterval'], message });
  }
  const http = check.http;
  if (http?.method === 'HEAD' && http.body !== undefined) {
    const message = 'a response to HEAD has no body, so this check could never pass';
    report.error({ code: 'conflict', at: [...place, 'http', 'body'], on: 'key', message });
  }
  checkDialogue(check, place, report);
}

/** Checks that send and expect something, or log in. */
function checkDialogue(check: Draft<HealthCheckConfig>, place: Path, report: Report): void {
  const { tcp, redis } = check;
  if (tcp?.steps !== undefined && (tcp.send !== undefined || tcp.expect !== undefined)) {
    const message = '"steps" says all that is sent and expected; "send" and "expect" cannot stand beside it';
    const hint = 'make them the first step';
    report.error({ code: 'conflict', at: [...place, 'tcp', 'steps'], on: 'key', message, hint });
  }
  if (redis?.username !== undefined && redis.password === undefined) {
    const message = 'a username without a password';
    report.error({ code: 'conflict', at: [...place, 'redis', 'username'], on: 'key', message });
  }
}

function checkOutlierDetection(pool: Draft<PoolConfig>, at: Path, report: Report): void {
  const outlier = pool.outlierDetection;
  if (outlier === undefined || outlier === false) return;
  const place = [...at, 'outlierDetection'];
  const { ejectFor, maxEjectFor } = outlier;
  if (ejectFor !== undefined && maxEjectFor !== undefined && ejectFor > maxEjectFor) {
    const key = report.written([...place, 'ejectFor']) ? 'ejectFor' : 'maxEjectFor';
    const message = `ejectFor (${formatDurationMs(ejectFor)}) is longer than maxEjectFor (${formatDurationMs(maxEjectFor)})`;
    report.error({ code: 'conflict', at: [...place, key], message });
  }
  if (outlier.consecutiveFailures === 0 && outlier.failurePercent === 0 && report.written(place)) {
    const message = 'both rules of outlier detection are off';
    report.warning({ code: 'ineffective', at: place, message, hint: 'write outlierDetection: false' });
  }
}

function checkAffinity(pool: Draft<PoolConfig>, at: Path, report: Report): void {
  const cookie = pool.affinity?.cookie;
  if (cookie?.sameSite === 'none' && cookie.secure === 'never') {
    const message = 'browsers refuse a cookie with sameSite none that is not secure';
    report.error({ code: 'conflict', at: [...at, 'affinity', 'cookie', 'secure'], message });
  }
}
