import type { Endpoint } from '../model/endpoint.ts';
import type { PickRequest } from '../model/picker.ts';
import { mix32 } from '../util/hash.ts';
import type { Random } from '../util/random.ts';
import type { Judgement, PolicyPicker } from './policy.ts';

/** One priority: its own picker over its own endpoints. */
export interface PickerLevel {
  readonly members: readonly Endpoint[];
  readonly picker: PolicyPicker;
  /** 0 for a reserve. */
  readonly sharePercent: number;
}

/** Makes the choice of a priority independent of the choice within it, though both come from one hash. */
const LEVEL_SALT = 0x2545f491;

/**
 * Chooses a priority by its share (by the request's hash if it has one, so that a key stays), then an endpoint by the
 * policy. When nothing is left there, the other priorities in order; those without a share only for a request that
 * has failed already: before the health checks notice, a retry finds the backup.
 */
export class LevelPicker implements PolicyPicker {
  readonly #levels: readonly PickerLevel[];
  readonly #random: Random;

  constructor(levels: readonly PickerLevel[], random: Random) {
    this.#levels = levels;
    this.#random = random;
  }

  pick(request: PickRequest): Endpoint | undefined {
    const drawn = this.#draw(request);
    if (drawn !== undefined) {
      const endpoint = drawn.picker.pick(request);
      if (endpoint !== undefined) return endpoint;
    }
    for (const level of this.#levels) {
      if (level === drawn || (level.sharePercent === 0 && request.tried.length === 0)) continue;
      const endpoint = level.picker.pick(request);
      if (endpoint !== undefined) return endpoint;
    }
    return undefined;
  }

  fork(random: Random): PolicyPicker {
    return new LevelPicker(
      this.#levels.map((level) => ({ ...level, picker: level.picker.fork(random) })),
      random,
    );
  }

  judge(endpoint: Endpoint, request: PickRequest): Judgement {
    const level = this.#levels.find(({ members }) => members.includes(endpoint))!;
    const judgement = level.picker.judge(endpoint, request);
    const share = `priority ${endpoint.config.priority} has ${Math.round(level.sharePercent)} % of the traffic`;
    return { ...judgement, meaning: `${judgement.meaning}; ${share}` };
  }

  #draw(request: PickRequest): PickerLevel | undefined {
    const unit = request.hash < 0 ? this.#random.next() : mix32(request.hash ^ LEVEL_SALT) / 4_294_967_296;
    let at = unit * 100;
    let drawn: PickerLevel | undefined;
    for (const level of this.#levels) {
      if (level.sharePercent === 0) continue;
      drawn = level;
      at -= level.sharePercent;
      if (at < 0) break;
    }
    return drawn;
  }
}
