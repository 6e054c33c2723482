import { plainAnswer, ScriptedEndpoint } from './scripted-endpoint.ts';

const PATIENCE_MS = 20_000;

/** An endpoint that tells of every request and answers, with its name as the body, only when it is let. */
export class HeldEndpoint implements AsyncDisposable {
  /** Targets of the requests that it took. */
  readonly taken: string[] = [];
  readonly #endpoint: ScriptedEndpoint;
  #held = false;
  #release: (() => void)[] = [];

  private constructor(endpoint: ScriptedEndpoint, label: string) {
    this.#endpoint = endpoint;
    endpoint.script = async (wire) => {
      for (;;) {
        const parsed = await wire.request(60_000);
        if (parsed.kind !== 'message') break;
        this.taken.push(parsed.message.target);
        if (this.#held) await new Promise<void>((resolve) => this.#release.push(resolve));
        wire.send(plainAnswer(label));
      }
      wire.close();
    };
  }

  static async start(label = ''): Promise<HeldEndpoint> {
    return new HeldEndpoint(await ScriptedEndpoint.start(), label);
  }

  get name(): string {
    return this.#endpoint.name;
  }

  /** Connections that Pointsman holds open. */
  get open(): number {
    return this.#endpoint.wires.filter(({ ending }) => ending === 'open').length;
  }

  /** From now on no request is answered. */
  hold(): void {
    this.#held = true;
  }

  /** Answers all that wait, and those that come. */
  release(): void {
    this.#held = false;
    for (const resolve of this.#release) resolve();
    this.#release = [];
  }

  /** Waits until it has taken so many requests. */
  async took(count: number): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (this.taken.length < count) {
      if (performance.now() > deadline) throw new Error(`took ${this.taken.length} requests, not ${count}`);
      await Bun.sleep(2);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    await this.#endpoint[Symbol.asyncDispose]();
  }
}
