import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs the openssl program with arguments that have no blanks, parted by blanks. */
export function openssl(command: string, input = ''): string {
  const args = command.split(/\s+/);
  const done = Bun.spawnSync(['openssl', ...args], {
    stdin: Buffer.from(input),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  if (done.exitCode !== 0) throw new Error(`openssl ${command}: ${done.stderr.toString()}`);
  return done.stdout.toString();
}

/** As above, for what talks with this process: it goes on meanwhile. Whether it failed is not looked at. */
export async function opensslTalk(command: string, input = ''): Promise<string> {
  const child = Bun.spawn(['openssl', ...command.split(/\s+/)], {
    stdin: Buffer.from(input),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return out + error;
}

export interface Issued {
  /** Files. */
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  readonly kind?: 'rsa' | 'ec';
  /** Names in the certificate; also addresses, as `IP:127.0.0.1`. */
  readonly names?: readonly string[];
  /** 0: it expires with the second in which it is made. */
  readonly days?: number;
  readonly passphrase?: string;
}

const EC = 'ec -pkeyopt ec_paramgen_curve:prime256v1';

/** A certificate authority of a test, and what it has issued, in a directory that goes with it. */
export class TestCa implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'pointsman-ca-'));
  readonly cert: string = this.file('ca.pem');
  readonly #key = this.file('ca.key');

  constructor(name = 'TestCA') {
    openssl(
      `req -x509 -newkey ${EC} -nodes -days 30 -subj /CN=${name} -keyout ${this.#key} -out ${this.cert}`,
    );
  }

  /** A path in its directory. */
  file(name: string): string {
    return join(this.directory, name);
  }

  /** Writes NAME.pem and NAME.key, signed by this authority; again, when they are there. */
  issue(name: string, options: IssueOptions = {}): Issued {
    const { kind = 'ec', names = [name], days = 30, passphrase } = options;
    const cert = this.file(`${name}.pem`);
    const key = this.file(`${name}.key`);
    const request = this.file(`${name}.csr`);
    const extensions = this.file(`${name}.ext`);
    const secret = passphrase === undefined ? '-nodes' : `-passout pass:${passphrase}`;
    const alternatives = names.map((one) => (one.startsWith('IP:') ? one : `DNS:${one}`)).join(',');
    writeFileSync(extensions, names.length === 0 ? '' : `subjectAltName=${alternatives}\n`);
    openssl(
      `req -new -newkey ${kind === 'ec' ? EC : 'rsa:2048'} ${secret} -subj /CN=${name} -keyout ${key} -out ${request}`,
    );
    const signer = `-CA ${this.cert} -CAkey ${this.#key} -CAcreateserial`;
    openssl(`x509 -req -in ${request} ${signer} -days ${days} -extfile ${extensions} -out ${cert}`);
    return { cert, key };
  }

  /** The certificate of the authority, PEM. */
  get pem(): string {
    return readFileSync(this.cert, 'utf8');
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
