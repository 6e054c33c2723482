import type { H2Abuse } from '../model/h2-stats.ts';
import type { CloseCause, Connection, ConnectionHandler } from '../net/connection.ts';
import type { Origin } from '../net/origin.ts';
import type { ServerSettings } from './server-settings.ts';
import { AbuseGuard, type GuardedConnection } from './h2-abuse-guard.ts';
import { Awaits, ConnectionTime } from './h2-connection-time.ts';
import { FrameReader } from './h2-frame-reader.ts';
import { Goodbye, type GoodbyeOwner } from './h2-goodbye.ts';
import { ConnectionOutput } from './h2-output.ts';
import { ownSettings } from './h2-peer-settings.ts';
import { DEFAULT_WINDOW, H2Error, MIN_MAX_FRAME, PREFACE } from './h2-protocol.ts';
import { ServerFrames, type ServerFramesOwner } from './h2-server-frames.ts';
import type { H2ServerStream } from './h2-server-stream.ts';
import { ServerStreams } from './h2-server-streams.ts';

/** CONTINUATION frames of one field block. */
const MAX_CONTINUATIONS = 32;

/** How a connection comes to its end. */
const Life = {
  Open: 0,
  /** GOAWAY was sent that only warns. */
  Warned: 1,
  /** GOAWAY names the last stream that is served. */
  Leaving: 2,
  /** Nothing is served any more; what still comes is thrown away. */
  Linger: 3,
  Over: 4,
} as const;
type LifeState = (typeof Life)[keyof typeof Life];

/** The front of HTTP/2 (RFC 9113): one client connection, its requests side by side. */
export class H2ServerConnection
  implements ConnectionHandler, GuardedConnection, ServerFramesOwner, GoodbyeOwner
{
  place = -1;
  readonly origin: Origin;
  readonly secure: boolean;
  context: unknown;
  readonly output: ConnectionOutput;
  readonly streams: ServerStreams;
  readonly #connection: Connection;
  #settings: ServerSettings;
  readonly #reader: FrameReader;
  readonly #time: ConnectionTime;
  readonly #goodbye: Goodbye;
  #life: LifeState = Life.Open;
  /** Since the warning the client has sent something, and nothing says yet that it has read everything. */
  #taking = false;
  /** Bytes of the preface that came. */
  #preface = 0;

  /** @param settings have `http2` */
  constructor(connection: Connection, settings: ServerSettings) {
    const h2 = settings.http2!;
    this.#connection = connection;
    this.#settings = settings;
    this.origin = connection;
    // Who ended TLS for us and is trusted says so.
    this.secure = connection.tls !== undefined || connection.proxied?.tls?.secure === true;
    this.context = settings.contextOf(connection, this.secure);
    this.output = new ConnectionOutput(connection);
    const guard = new AbuseGuard(this);
    this.streams = new ServerStreams(this, guard);
    this.#reader = new FrameReader(new ServerFrames(this, this.streams, guard), h2.maxFrameSize, {
      blockBytes: settings.headerBytes + MIN_MAX_FRAME,
      continuations: MAX_CONTINUATIONS,
    });
    this.#time = new ConnectionTime(settings.wheel, this);
    h2.stats.connected();
    this.output.writer.settings(ownSettings(h2, settings.headerBytes));
    if (h2.initialConnectionWindow > DEFAULT_WINDOW)
      this.output.writer.windowUpdate(0, h2.initialConnectionWindow - DEFAULT_WINDOW);
    this.#time.await(Awaits.Request, settings.timeouts);
    this.#goodbye = new Goodbye(this.output.writer, this);
    if (h2.maxConnectionAge !== undefined) this.#goodbye.after(settings.wheel, h2.maxConnectionAge);
  }

  get settings(): ServerSettings {
    return this.#settings;
  }

  get timeouts(): ServerSettings['timeouts'] {
    return this.#settings.timeouts;
  }

  get bodyPace(): ServerSettings['bodyPace'] {
    return this.#settings.bodyPace;
  }

  get lingers(): boolean {
    return this.#life >= Life.Linger;
  }

  get parting(): boolean {
    return this.#life === Life.Warned || (this.#taking && this.#life > Life.Warned && this.#life < Life.Over);
  }

  // ---- reading ----

  onData(bytes: Buffer): void {
    if (this.#life > Life.Open) this.#taking = true;
    if (this.#life >= Life.Linger) {
      this.#time.lingerOn(this.timeouts);
      return;
    }
    if (this.#preface === PREFACE.length) this.#reader.read(bytes);
    else this.#readPreface(bytes);
    this.#setTime();
  }

  #readPreface(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#preface < PREFACE.length) {
      if (bytes[at] !== PREFACE[this.#preface]) {
        this.onFrameError(H2Error.ProtocolError, 'this is not the preface');
        return;
      }
      at++;
      this.#preface++;
    }
    if (at < bytes.length) this.#reader.read(bytes.subarray(at));
  }

  /** A reload changed how clients are served. */
  follow(): void {
    while (this.#settings.successor !== undefined) this.#settings = this.#settings.successor;
    this.context = this.#settings.contextOf(this.#connection, this.secure);
  }

  onPong(data: Buffer, start: number): void {
    if (!this.#goodbye.isHeard(data, start)) return;
    // The answer comes behind everything that was sent before the warning.
    if (this.streams.size === 0) this.#taking = false;
    this.onWarned();
  }

  // ---- the end of the connection ----

  /** No stream is open any more. */
  onIdle(): void {
    if (this.#life === Life.Leaving) this.#linger();
    else this.#setTime();
  }

  /** Takes no further requests; those that are on their way are served. */
  drain(): void {
    if (this.#life !== Life.Open) return;
    this.#life = Life.Warned;
    this.#goodbye.warn(this.#settings.wheel);
  }

  /** No request behind this one is served any more. */
  onWarned(): void {
    if (this.#life !== Life.Warned) return;
    this.#life = Life.Leaving;
    this.#goodbye.cancel();
    this.streams.lastServed = this.streams.last;
    this.output.writer.goaway(this.streams.last, H2Error.NoError, '');
    if (this.streams.size === 0) this.#linger();
  }

  /** The client broke the protocol. */
  onFrameError(error: number, reason: string): void {
    if (this.#life >= Life.Linger) return;
    if (error === H2Error.EnhanceYourCalm) {
      this.#settings.http2!.stats.abused('field_block_flood');
    } else this.#settings.http2!.stats.protocolError();
    this.#end(error, reason);
  }

  /** The client asks too much. */
  onAbuse(abuse: H2Abuse): void {
    if (this.#life >= Life.Linger) return;
    this.#settings.http2!.stats.abused(abuse);
    this.#end(H2Error.EnhanceYourCalm, abuse);
  }

  /** GOAWAY, and nothing is served any more. */
  #end(error: number, reason: string): void {
    this.output.writer.goaway(this.streams.last, error, reason);
    this.#linger();
    this.streams.failAll('http2_error');
  }

  /** Sends FIN and reads on for a while. */
  #linger(): void {
    if (this.#life >= Life.Linger) return;
    this.#life = Life.Linger;
    this.#reader.stop();
    this.streams.bodies.stop();
    this.#cancelTimes();
    this.output.writer.flush();
    this.#connection.shutdown();
    this.#connection.resume();
    if (this.#connection.readEnded && !this.output.congested) this.#over();
    else this.#awaitEnd();
  }

  #over(): void {
    if (this.#life === Life.Over) return;
    this.#life = Life.Over;
    this.#reader.stop();
    this.#cancelTimes();
    this.output.writer.flush();
    this.#connection.close();
  }

  #cancelTimes(): void {
    this.#time.cancel();
    this.#goodbye.cancel();
  }

  /** Ends what is being served. */
  cut(): void {
    for (const stream of this.streams.all.slice()) if (!stream.over) stream.consumer.onCut();
    if (this.streams.size === 0 && this.#life < Life.Linger) this.#goAway();
  }

  /** The connection is gone. */
  recycle(): void {
    this.#settings.http2!.stats.disconnected();
  }

  // ---- time ----

  /** What is waited for now. */
  #setTime(): void {
    if (this.#life >= Life.Linger || this.#time.awaits === Awaits.Room) return;
    const begun = this.#preface > 0 && this.#preface < PREFACE.length;
    if (begun || this.#reader.incomplete) this.#time.await(Awaits.Frame, this.timeouts);
    else this.#time.await(this.streams.size === 0 ? Awaits.Request : Awaits.Nothing, this.timeouts);
  }

  /** Everything was said: the client has its time to take it, and to close. */
  #awaitEnd(): void {
    if (this.output.congested) this.#time.awaitRoom(this.#connection.bufferedBytes, this.timeouts);
    else this.#time.await(Awaits.End, this.timeouts);
  }

  onDeadline(): void {
    const { awaits } = this.#time;
    if (awaits === Awaits.Room && this.#time.goesOn(this.#connection.bufferedBytes, this.timeouts)) return;
    if (this.#life >= Life.Linger) this.#over();
    else if (awaits === Awaits.Room) this.#cutSlowReader();
    else if (awaits === Awaits.Frame) this.onAbuse('slow_frame');
    else if (this.streams.size === 0) this.#goAway();
  }

  #cutSlowReader(): void {
    this.#settings.http2!.stats.abused('slow_reader');
    this.#life = Life.Over;
    this.#cancelTimes();
    this.streams.failAll('client_too_slow');
    this.#connection.reset();
  }

  /** Nothing is under way: the last word, and the end. */
  #goAway(): void {
    this.output.writer.goaway(this.streams.last, H2Error.NoError, '');
    this.#linger();
  }

  // ---- events of the connection ----

  onEnd(): void {
    if (this.#life >= Life.Linger) {
      if (!this.output.congested) this.#over();
      return;
    }
    for (const stream of this.streams.all.slice()) {
      if (stream.over) continue;
      if (!stream.received || !this.#canFinish(stream)) this.streams.fail(stream, 'client_closed');
      else stream.consumer.onClientEnd();
    }
    this.#life = Math.max(this.#life, Life.Leaving) as LifeState;
    if (this.streams.size === 0) this.#linger();
  }

  /** Behind a FIN no window can open any more: what waits for one will wait for ever. */
  #canFinish({ out }: H2ServerStream): boolean {
    return !this.#connection.readEnded || out.pendingBytes === 0 || this.output.congested;
  }

  /** A stream could not send all that it was given. */
  heldBack(stream: H2ServerStream): void {
    if (!stream.over && !this.#canFinish(stream)) this.streams.fail(stream, 'client_closed');
  }

  onCongested(): void {
    if (this.#life >= Life.Linger) return;
    this.#time.awaitRoom(this.#connection.bufferedBytes, this.timeouts);
    // Who does not take what we say is not listened to.
    this.#connection.pause();
    for (const stream of this.streams.all) if (!stream.responded) stream.consumer.onClientCongested();
  }

  onDrain(): void {
    if (this.#life >= Life.Linger) {
      if (this.#connection.readEnded) this.#over();
      else this.#awaitEnd();
      return;
    }
    this.#time.await(Awaits.Nothing, this.timeouts);
    this.#connection.resume();
    this.output.pump();
    if (this.output.congested) return;
    for (const stream of this.streams.all.slice()) {
      if (stream.over) continue;
      if (!this.#canFinish(stream)) this.streams.fail(stream, 'client_closed');
      else if (!stream.responded && stream.out.pendingBytes === 0) stream.consumer.onClientDrain();
    }
    this.#setTime();
  }

  onClose(_cause: CloseCause): void {
    if (this.#life === Life.Over) return;
    this.#life = Life.Over;
    this.#reader.stop();
    this.#cancelTimes();
    this.streams.failAll('client_closed');
  }
}
