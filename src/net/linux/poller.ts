import { readdirSync, readlinkSync } from 'node:fs';

import { nextDueMs, systemClock } from '../../util/clock.ts';
import { reportDefect } from '../defects.ts';
import { Gathering, PAUSE_US } from '../gathering.ts';
import { awaitsBatchEnd, beginBatch, endBatch } from '../turn.ts';
import { EPOLL, errno, fixed, sys, systemError } from './libc.ts';

/** Something with a descriptor that the poller watches. */
export interface PollTarget {
  /** `events` as epoll reports them. */
  onEvents(events: number): void;
  /** It asked to be called again. */
  onAgain(): void;
}

const MAX_EVENTS = 256;
/** Layout of `struct epoll_event`, which is packed on x86-64 only: 32-bit words per entry, and where the descriptor lies. */
const WORDS = process.arch === 'x64' ? 3 : 4;
const FD_WORD = process.arch === 'x64' ? 1 : 2;

/** Sockets are served this long before the runtime gets its turn, milliseconds. */
const SLICE_MS = 1;
/** Turns of the runtime without anything of its own, before we may sleep: what it does comes in several steps. */
const QUIET_TURNS = 4;
/** The first sleep; each one after it may be twice as long, as long as the runtime has nothing to do. */
const NAP_MS = 1;
/** The longest sleep: timers of the runtime that are not those of our clock are late by this at most, milliseconds. */
const SLEEP_MS = 100;
/** Sleeps until the longest one. */
const MOST_DOUBLINGS = 10;

const events = fixed(MAX_EVENTS * WORDS * 4);
const words = new Int32Array(events.buffer, events.byteOffset, MAX_EVENTS * WORDS);
const control = fixed(16);
const controlWords = new Int32Array(control.buffer, control.byteOffset, 4);

/** An event of a target, or with 0 its turn again; a defect in serving one does not concern the others. */
function serve(target: PollTarget, mask: number): void {
  try {
    if (mask === 0) target.onAgain();
    else target.onEvents(mask);
  } catch (error) {
    reportDefect(error);
  }
}

/**
 * How long we may sleep when there is nothing to do. The runtime has no descriptor for its timers, so that nothing would wake us for them: we
 * wake when the next one is due.
 * @param quiet Turns of the runtime without anything of its own.
 */
function sleepMs(quiet: number): number {
  if (quiet < QUIET_TURNS) return 0;
  const longestMs = Math.min(SLEEP_MS, NAP_MS << Math.min(quiet - QUIET_TURNS, MOST_DOUBLINGS));
  return Math.max(NAP_MS, Math.min(longestMs, Math.ceil(nextDueMs() - systemClock.nowMs())));
}

/** Descriptors of the epoll instances that the runtime sleeps in. */
function runtimePolls(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventpoll]';
      } catch {
        return false;
      }
    });
}

/**
 * One epoll instance for all sockets of ours, beside that of the runtime. It sleeps for both: the runtime's instance is a member of
 * ours, so that whatever wakes the one wakes the other, and after each slice of work the runtime gets a turn.
 */
class Poller {
  readonly #fd: number;
  readonly #runtime: ReadonlySet<number>;
  readonly #targets: (PollTarget | undefined)[] = [];
  /** How often each descriptor came to us: tells an event of what had the number before. */
  readonly #generations: number[] = [];
  /** Those that have more to do, after the others have had their turn. */
  #again: PollTarget[] = [];
  #watched = 0;
  #running = false;
  #quiet = 0;
  readonly #gathering = new Gathering();
  readonly #cycle = (): void => this.#turn();

  constructor() {
    const runtime = runtimePolls();
    this.#fd = sys.epoll_create1(EPOLL.CLOEXEC);
    if (this.#fd < 0) throw systemError('epoll_create1', errno());
    this.#runtime = new Set(runtime);
    for (const fd of runtime) this.#control(EPOLL.ADD, fd, EPOLL.IN);
  }

  #control(operation: number, fd: number, mask: number): void {
    controlWords[0] = mask;
    controlWords[FD_WORD] = fd;
    controlWords[FD_WORD + 1] = this.#generations[fd] ?? 0;
    if (sys.epoll_ctl(this.#fd, operation, fd, controlWords) < 0) throw systemError('epoll_ctl', errno());
  }

  /** Watches `fd` for `mask`. */
  add(fd: number, mask: number, target: PollTarget): void {
    this.#generations[fd] = ((this.#generations[fd] ?? 0) + 1) | 0;
    this.#control(EPOLL.ADD, fd, mask);
    this.#targets[fd] = target;
    this.#watched++;
    if (this.#running) return;
    this.#running = true;
    setImmediate(this.#cycle);
  }

  /** ... unless there is no memory for it, or no more may be watched. Returns the error then. */
  tryAdd(fd: number, mask: number, target: PollTarget): unknown {
    try {
      this.add(fd, mask, target);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Watches for something else. */
  change(fd: number, mask: number): void {
    this.#control(EPOLL.MOD, fd, mask);
  }

  /** Who watches `fd` from now on. */
  replace(fd: number, target: PollTarget): void {
    this.#targets[fd] = target;
  }

  /** Calls `onAgain` of the target in the next round. */
  again(target: PollTarget): void {
    this.#again.push(target);
  }

  /** Closes `fd`. Events of it that are still to be handled mean nobody, also when a new descriptor gets its number. */
  close(fd: number): void {
    this.#targets[fd] = undefined;
    this.#watched--;
    sys.close(fd);
  }

  /** Closes a descriptor that another process may have too, and then goes on to report events of it. */
  release(fd: number): void {
    this.#control(EPOLL.DEL, fd, 0);
    this.close(fd);
  }

  #turn(): void {
    let ready = this.#poll(sleepMs(this.#quiet));
    if (ready > 0) {
      const untilMs = systemClock.nowMs() + SLICE_MS;
      // Without waiting: going round by the runtime takes about as long as the next event to come, and is cheaper than to sleep and be woken.
      while (ready > 0 && this.#quiet > 0 && systemClock.nowMs() < untilMs) ready = this.#poll(0);
    }
    if (this.#watched === 0) {
      this.#running = false;
      return;
    }
    setImmediate(this.#cycle);
  }

  /** A batch: handles what is ready, waiting for at most `timeoutMs`. Returns how much that was. */
  #poll(timeoutMs: number): number {
    let ready = this.#serveReady(timeoutMs);
    // Who collects output for the end of the batch gains more by what came meanwhile than a look costs: a write is ten times as dear.
    if (ready > 0 && awaitsBatchEnd()) {
      if (this.#gathering.pays(systemClock.nowMs())) sys.usleep(PAUSE_US);
      ready += this.#serveReady(0);
    }
    endBatch();
    return ready;
  }

  #serveReady(timeoutMs: number): number {
    const again = this.#again;
    const count = sys.epoll_wait(this.#fd, words, MAX_EVENTS, again.length === 0 ? timeoutMs : 0);
    this.#quiet++;
    if (count > 0 || again.length > 0) beginBatch(systemClock.nowMs());
    for (let index = 0; index < count; index++) {
      const fd = words[index * WORDS + FD_WORD]!;
      const target =
        this.#generations[fd] === words[index * WORDS + FD_WORD + 1] ? this.#targets[fd] : undefined;
      if (target !== undefined) serve(target, words[index * WORDS]!);
      else if (this.#runtime.has(fd)) this.#quiet = 0;
    }
    if (again.length > 0) {
      this.#again = [];
      for (const target of again) serve(target, 0);
    }
    const served = Math.max(count, 0) + again.length;
    if (served === 0) this.#gathering.onIdle();
    return served;
  }
}

let shared: Poller | undefined;

/** The poller of this process; made when it is first needed. */
export function poller(): Poller {
  shared ??= new Poller();
  return shared;
}
