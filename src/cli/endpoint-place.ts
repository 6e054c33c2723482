/** One endpoint as commands name it. */
export interface EndpointPlace {
  readonly pool: string;
  readonly endpoint: string;
  /** `POOL/ENDPOINT`. */
  readonly shown: string;
  /** In the admin API. */
  readonly path: string;
}

export function poolPath(pool: string): string {
  return `/api/v1/pools/${encodeURIComponent(pool)}`;
}

/** Reads POOL/ENDPOINT; a text that says what is wrong otherwise. */
export function endpointPlace(written: string): EndpointPlace | string {
  const [pool = '', endpoint = '', ...more] = written.split('/');
  if (pool === '' || endpoint === '' || more.length > 0) {
    return `${JSON.stringify(written)} does not name an endpoint; write POOL/ENDPOINT, such as web/10.0.0.1:3000`;
  }
  const path = `${poolPath(pool)}/endpoints/${encodeURIComponent(endpoint)}`;
  return { pool, endpoint, shown: written, path };
}
