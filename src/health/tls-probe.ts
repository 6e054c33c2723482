import type { Address } from '../config/schema/address.ts';
import type { TlsCheck } from '../config/schema/service-checks.ts';
import type { HandshakeOptions, HandshakeOutcome } from '../net/tls-handshake.ts';
import { runTurn } from '../net/turn.ts';
import { type Probe, type ProbeDeps, type ProbeResult, untried } from './probe.ts';

/** Connects and completes a TLS handshake within `timeoutMs`, then closes without sending anything. */
export function tlsProbe(deps: ProbeDeps, address: Address, check: TlsCheck, timeoutMs: number): Probe {
  const options: HandshakeOptions = {
    host: address.host,
    port: address.port,
    serverName: check.sni ?? address.host,
    verify: check.verify,
    ca: check.ca?.content,
    alpn: check.alpn ?? [],
  };
  return (done) => {
    const giveUp = deps.tlsHandshake(options, (outcome) => {
      cancelTimeout();
      done(judge(outcome, options));
    });
    const cancelTimeout = deps.clock.after(timeoutMs, () => {
      giveUp();
      runTurn(() => done({ passed: false, detail: `no TLS handshake within ${timeoutMs} ms` }));
    });
    return () => {
      cancelTimeout();
      giveUp();
    };
  };
}

function judge(
  { version, alpn, error, exhausted }: HandshakeOutcome,
  options: HandshakeOptions,
): ProbeResult {
  if (exhausted === true) return untried(`not checked (${error ?? ''})`);
  if (version === undefined) return { passed: false, detail: `no TLS handshake: ${error ?? 'failed'}` };
  if (options.alpn.length > 0 && (alpn === undefined || !options.alpn.includes(alpn)))
    return { passed: false, detail: `${version}, but none of the protocols ${options.alpn.join(', ')}` };
  return { passed: true, detail: alpn === undefined ? version : `${version}, ${alpn}` };
}
