import { availability, type Endpoint } from '../model/endpoint.ts';
import type { RequestHead } from '../model/message.ts';
import type { PickRequest } from '../model/picker.ts';
import type { Balancer } from '../model/ports.ts';
import { turnNowMs } from '../net/turn.ts';
import type { L7Pool } from './l7-pool.ts';

const NONE_TRIED: readonly Endpoint[] = [];

/** Which endpoint a request may have: the one that its client is bound to by affinity, or one by the policy; none that has failed it. */
export class EndpointChoice implements PickRequest {
  hash = -1;
  /** The one that the client is bound to. */
  bound: Endpoint | undefined = undefined;
  readonly #balancer: Balancer;
  #l7Pool!: L7Pool;
  #tried: Endpoint[] | undefined = undefined;

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
  }

  /** For a request that nothing was tried for. */
  begin(l7Pool: L7Pool, request: RequestHead, clientIp: string): void {
    const { hashKey, affinity } = l7Pool;
    this.#l7Pool = l7Pool;
    this.hash = hashKey === undefined ? -1 : hashKey(request, clientIp);
    this.bound = affinity?.bound(request);
  }

  get tried(): readonly Endpoint[] {
    return this.#tried ?? NONE_TRIED;
  }

  /** It has failed the request, and is not taken again. */
  exclude(endpoint: Endpoint): void {
    (this.#tried ??= []).push(endpoint);
  }

  /** Takes a place: at the endpoint that the client is bound to while that may be used, else at one by the policy. */
  take(): Endpoint | undefined {
    const { pool } = this.#l7Pool;
    const { bound } = this;
    if (bound !== undefined) {
      if (this.#boundUsable) return this.#balancer.acquire(pool, bound) ? bound : undefined;
      if (this.#strict) return undefined;
    }
    return this.#balancer.take(pool, this);
  }

  /** The one that a place must come free at; undefined when any will do. */
  get waitsFor(): Endpoint | undefined {
    return this.#boundUsable ? this.bound : undefined;
  }

  /** The client may have one endpoint only, and that may not be used. */
  get lost(): boolean {
    return this.#strict && !this.#boundUsable;
  }

  /** After `take` in vain: whether a place may come free. None could be taken, so all were full, even if another worker has made room meanwhile. */
  get mayWait(): boolean {
    return this.#boundUsable || this.#l7Pool.pool.view.available.some((one) => !this.tried.includes(one));
  }

  /** Any endpoint will do from now on. Returns false, and nothing changes, where that is so already or may not be. */
  unbind(): boolean {
    if (this.bound === undefined || this.#strict) return false;
    this.bound = undefined;
    return true;
  }

  /** Whether there is room at another endpoint than that. */
  hasOther(than: Endpoint): boolean {
    if (this.#strict) return false;
    for (const endpoint of this.#l7Pool.pool.view.available) {
      if (endpoint !== than && !endpoint.full && !this.tried.includes(endpoint)) return true;
    }
    return false;
  }

  get #strict(): boolean {
    return this.bound !== undefined && this.#l7Pool.pool.config.affinity?.strict === true;
  }

  /** The client is bound to an endpoint that it may still use. */
  get #boundUsable(): boolean {
    const { bound } = this;
    return (
      bound !== undefined && !this.tried.includes(bound) && availability(bound, turnNowMs()) !== 'closed'
    );
  }
}
