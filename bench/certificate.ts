import { readFileSync } from 'node:fs';

import type { Workspace } from './workspace.ts';

/** Files of a certificate for 127.0.0.1. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** Both in one, as HAProxy wants it. */
  readonly both: string;
}

const made = new WeakMap<Workspace, Certificate>();

/** The certificate of a run (ECDSA P-256, what most sites use), made when it is first needed. */
export function certificateOf(workspace: Workspace): Certificate {
  const known = made.get(workspace);
  if (known !== undefined) return known;
  const cert = workspace.path('cert.pem');
  const key = workspace.path('key.pem');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
  const done = Bun.spawnSync(['openssl', 'req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert]);
  if (!done.success) throw new Error(`openssl made no certificate:\n${done.stderr.toString()}`);
  const both = workspace.write('both.pem', readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
  const certificate = { cert, key, both };
  made.set(workspace, certificate);
  return certificate;
}
