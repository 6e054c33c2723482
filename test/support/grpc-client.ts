import * as grpc from '@grpc/grpc-js';

/** What a call came to. */
interface Outcome {
  readonly code: number;
  readonly details: string;
  readonly body: string;
  readonly trailers: grpc.Metadata;
}

type Unary = (
  request: Buffer,
  metadata: grpc.Metadata,
  options: grpc.CallOptions,
  done: (error: grpc.ServiceError | null, answer?: Buffer) => void,
) => grpc.ClientUnaryCall;

/** A client whose methods are those of the service. */
export class GrpcClient implements Disposable {
  readonly #client: grpc.Client & Record<string, unknown>;

  constructor(address: string, service: grpc.ServiceDefinition) {
    const Constructor = grpc.makeGenericClientConstructor(service, 'Service');
    // What is tried again is the balancer's business here.
    const options = { 'grpc.enable_retries': 0, 'grpc.use_local_subchannel_pool': 1 };
    this.#client = new Constructor(address, grpc.credentials.createInsecure(), options);
  }

  unary(body: string, options: grpc.CallOptions = {}, metadata = new grpc.Metadata()): Promise<Outcome> {
    return new Promise((resolve) => {
      let answer = '';
      const unary = this.#client['unary'] as Unary;
      const call = unary.call(this.#client, Buffer.from(body), metadata, options, (_error, value) => {
        answer = value?.toString() ?? '';
      });
      call.on('status', ({ code, details, metadata: trailers }: grpc.StatusObject) =>
        setImmediate(() => resolve({ code, details, body: answer, trailers })),
      );
    });
  }

  collect(): { readonly call: grpc.ClientWritableStream<Buffer>; readonly answer: Promise<string> } {
    let call: grpc.ClientWritableStream<Buffer> | undefined;
    const answer = new Promise<string>((resolve, reject) => {
      const collect = this.#client['collect'] as (
        done: (error: Error | null, value?: Buffer) => void,
      ) => grpc.ClientWritableStream<Buffer>;
      call = collect.call(this.#client, (error, value) =>
        error === null ? resolve(value!.toString()) : reject(error),
      );
    });
    return { call: call!, answer };
  }

  count(last: number): grpc.ClientReadableStream<Buffer> {
    const count = this.#client['count'] as (request: Buffer) => grpc.ClientReadableStream<Buffer>;
    return count.call(this.#client, Buffer.from(String(last)));
  }

  talk(options: grpc.CallOptions = {}): grpc.ClientDuplexStream<Buffer, Buffer> {
    const talk = this.#client['talk'] as (
      options: grpc.CallOptions,
    ) => grpc.ClientDuplexStream<Buffer, Buffer>;
    return talk.call(this.#client, options);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
