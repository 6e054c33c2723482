import type { AutomaticCertificateView } from '../model/certificate-view.ts';
import type { Log } from '../model/ports.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';
import type { Random } from '../util/random.ts';
import { checkKey, covers, pauseMs, renewAtMs, validityOf } from './renewal.ts';
import type { AcmeStorage } from './storage.ts';
import type { StoredCertificate } from './stored-certificate.ts';

/** Who issues certificates. */
export interface Issuer {
  issue(names: readonly string[]): Promise<StoredCertificate>;
}

/** What keeping certificates needs. */
export interface CertificateKeeperDeps {
  readonly storage: AcmeStorage;
  readonly issuer: Issuer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** A certificate is new on disk: listeners should serve it. */
  readonly renewed: (name: string) => void;
}

/** Timers of the runtime hold less than 2^31 milliseconds; a wall clock may also be set meanwhile. */
const LONGEST_SLEEP_MS = 12 * 3_600_000;

interface Kept {
  readonly names: readonly string[];
  nextAttemptMs: number;
  failures: number;
  error: string | undefined;
}

/**
 * Sees to it that each wanted certificate is on disk and renewed in time. One order at a time, so that a server's limits are met late and
 * a machine with many names starts gently. What fails is tried again after growing pauses; the certificate that there is stays.
 */
export class CertificateKeeper {
  readonly #deps: CertificateKeeperDeps;
  #kept = new Map<string, Kept>();
  #cancel: CancelTimer = () => {};
  #working = false;
  #stopped = false;

  constructor(deps: CertificateKeeperDeps) {
    this.#deps = deps;
  }

  /** Names of each certificate that is wanted from now on; what was known of the others is forgotten, their files stay. */
  want(certificates: readonly (readonly string[])[]): void {
    const before = this.#kept;
    this.#kept = new Map();
    for (const names of certificates) {
      const key = names.join(' ');
      this.#kept.set(key, before.get(key) ?? this.#look(names));
    }
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  status(): readonly AutomaticCertificateView[] {
    return [...this.#kept.values()];
  }

  #look(names: readonly string[]): Kept {
    return { names, nextAttemptMs: this.#dueMs(names), failures: 0, error: undefined };
  }

  /** When what is on disk is to be renewed; now when there is nothing of use. */
  #dueMs(names: readonly string[]): number {
    const { storage, clock, random, log } = this.#deps;
    const nowMs = clock.wallMs();
    try {
      const stored = storage.certificate(names[0]!);
      if (stored === undefined || !covers(stored.certificate, names)) return nowMs;
      checkKey(stored);
      return Math.max(nowMs, renewAtMs(validityOf(stored.certificate), random));
    } catch (error) {
      log.warn('certificate-unreadable', { name: names[0]!, reason: reasonOf(error) });
      return nowMs;
    }
  }

  #schedule(): void {
    this.#cancel();
    if (this.#stopped || this.#working || this.#kept.size === 0) return;
    let nextMs = Infinity;
    for (const { nextAttemptMs } of this.#kept.values()) nextMs = Math.min(nextMs, nextAttemptMs);
    const sleepMs = Math.min(Math.max(0, nextMs - this.#deps.clock.wallMs()), LONGEST_SLEEP_MS);
    this.#cancel = this.#deps.clock.after(sleepMs, () => void this.#work());
  }

  async #work(): Promise<void> {
    const { clock } = this.#deps;
    this.#working = true;
    for (const kept of this.#kept.values()) {
      if (this.#stopped) return;
      if (kept.nextAttemptMs > clock.wallMs()) continue;
      // Another process that shares the directory may have been faster.
      kept.nextAttemptMs = kept.failures === 0 ? this.#dueMs(kept.names) : clock.wallMs();
      if (kept.nextAttemptMs <= clock.wallMs()) await this.#renew(kept);
    }
    this.#working = false;
    this.#schedule();
  }

  async #renew(kept: Kept): Promise<void> {
    const { storage, issuer, clock, random, log, renewed } = this.#deps;
    const name = kept.names[0]!;
    try {
      if (!storage.locks.take(name, clock.wallMs())) {
        // It will be there soon; if not, it is our turn then.
        kept.nextAttemptMs = clock.wallMs() + pauseMs(1, random);
        log.info('certificate-ordered-elsewhere', {
          name,
          nextAttempt: new Date(kept.nextAttemptMs).toISOString(),
        });
        return;
      }
    } catch (error) {
      this.#failed(kept, error);
      return;
    }
    try {
      const issued = await issuer.issue(kept.names);
      storage.saveCertificate(name, issued);
      const validity = validityOf(issued.certificate);
      kept.failures = 0;
      kept.error = undefined;
      // A server whose certificates end at once must not be asked without pause.
      kept.nextAttemptMs = Math.max(renewAtMs(validity, random), clock.wallMs() + pauseMs(1, random));
      log.info('certificate-issued', {
        name,
        names: kept.names.length,
        until: new Date(validity.untilMs).toISOString(),
      });
      renewed(name);
    } catch (error) {
      this.#failed(kept, error);
    } finally {
      this.#unlock(name);
    }
  }

  /** A lock that cannot be taken away, as when the disk has become read-only, ends by itself. */
  #unlock(name: string): void {
    try {
      this.#deps.storage.locks.release(name);
    } catch (error) {
      this.#deps.log.warn('certificate-lock-stays', { name, reason: reasonOf(error) });
    }
  }

  #failed(kept: Kept, error: unknown): void {
    const { clock, random, log } = this.#deps;
    kept.failures++;
    kept.error = reasonOf(error);
    kept.nextAttemptMs = clock.wallMs() + pauseMs(kept.failures, random);
    log.error('certificate-failed', {
      name: kept.names[0]!,
      reason: kept.error,
      failures: kept.failures,
      nextAttempt: new Date(kept.nextAttemptMs).toISOString(),
    });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
