const TIMEOUT_MS = 5000;

/** Why an admin API could not be asked, or what it refused; for people. */
export class AdminError extends Error {}

/** Where an admin API listens. */
export interface AdminPlace {
  /** As the user would write it. */
  readonly shown: string;
  readonly baseUrl: string;
  /** Path of the unix socket; undefined for TCP. */
  readonly unix: string | undefined;
}

/** Reads `unix:/path`, a URL, or `host:port`; undefined when it is none of them. */
export function adminPlace(written: string): AdminPlace | undefined {
  if (written.startsWith('unix:')) {
    const unix = written.slice('unix:'.length);
    return unix.startsWith('/') ? { shown: written, baseUrl: 'http://localhost', unix } : undefined;
  }
  const baseUrl = /^https?:\/\//.test(written) ? written : `http://${written}`;
  return URL.canParse('/', baseUrl) && /:\d|^https?:/.test(written)
    ? { shown: written, baseUrl, unix: undefined }
    : undefined;
}

/** Where to ask when it listens on every address of the machine. */
export function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** An answer that is no failure. */
export interface AdminAnswer {
  readonly status: number;
  /** The JSON that came; undefined without a body. */
  readonly body: unknown;
}

interface Refusal {
  readonly error?: { readonly message?: string };
}

function unreachable(place: AdminPlace, error: unknown, timeoutMs: number): AdminError {
  const code = (error as { readonly code?: string } | null)?.code;
  if (code === 'ECONNREFUSED' || code === 'ConnectionRefused' || code === 'ENOENT') {
    return new AdminError(
      `nothing listens at ${place.shown}; is Pointsman running? --admin says where its admin interface is`,
    );
  }
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  return new AdminError(
    name === 'TimeoutError'
      ? `${place.shown} did not answer within ${timeoutMs / 1000} s`
      : `${place.shown} did not answer: ${code ?? message}`,
  );
}

/** Asks the admin API of a running instance. */
export class AdminClient {
  readonly place: AdminPlace;
  readonly #token: string | undefined;

  constructor(place: AdminPlace, token: string | undefined) {
    this.place = place;
    this.#token = token;
  }

  /**
   * @param allowed statuses outside 2xx that are an answer too
   * @param timeoutMs how long the answer may take
   * @throws AdminError when nothing answers, or the answer is a refusal.
   */
  async ask(
    method: string,
    path: string,
    json?: unknown,
    allowed: readonly number[] = [],
    timeoutMs: number = TIMEOUT_MS,
  ): Promise<AdminAnswer> {
    const { baseUrl, unix } = this.place;
    const headers = new Headers();
    if (this.#token !== undefined) headers.set('authorization', `Bearer ${this.#token}`);
    if (json !== undefined) headers.set('content-type', 'application/json');
    let status: number;
    let text: string;
    try {
      const response = await fetch(new URL(path, baseUrl), {
        method,
        headers,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
        ...(unix === undefined ? {} : { unix }),
      });
      status = response.status;
      text = await response.text();
    } catch (error) {
      throw unreachable(this.place, error, timeoutMs);
    }
    const body = parseJson(text);
    if ((status >= 200 && status < 300) || allowed.includes(status)) {
      if (text !== '' && body === undefined) throw new AdminError(`${this.place.shown} is no admin API`);
      return { status, body };
    }
    const message = (body as Refusal | undefined)?.error?.message;
    if (status === 401) throw new AdminError(this.#whyNotTrusted());
    throw new AdminError(message ?? `${this.place.shown} answered ${status}`);
  }

  #whyNotTrusted(): string {
    return this.#token === undefined
      ? `${this.place.shown} asks for a token: give it with --token or in POINTSMAN_TOKEN`
      : `${this.place.shown} does not accept this token`;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
