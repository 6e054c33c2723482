import * as grpc from '@grpc/grpc-js';

/** Messages of the tests are bytes as they are: no schema between. */
const bytes = {
  requestSerialize: (value: Buffer): Buffer => value,
  requestDeserialize: (value: Buffer): Buffer => value,
  responseSerialize: (value: Buffer): Buffer => value,
  responseDeserialize: (value: Buffer): Buffer => value,
};

/** A service of that name with one method of each kind. */
export function serviceOf(name: string): grpc.ServiceDefinition {
  const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
    path: `/${name}/${path}`,
    requestStream,
    responseStream,
    ...bytes,
  });
  return {
    unary: method('Unary', false, false),
    collect: method('Collect', true, false),
    count: method('Count', false, true),
    talk: method('Talk', true, true),
  };
}

export const ECHO: grpc.ServiceDefinition = serviceOf('test.Echo');

/** The standard health service, its messages as bytes. */
const HEALTH: grpc.ServiceDefinition = {
  check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, ...bytes },
};

/** A gRPC endpoint by @grpc/grpc-js, and what happened there. */
export class GrpcEndpoint implements AsyncDisposable {
  readonly #server: grpc.Server;
  readonly port: number;
  calls = 0;
  cancelled = 0;
  /** What the health service says; -1: it does not know the service. */
  serving = 1;
  /** Services that the health service was asked for. */
  readonly askedFor: string[] = [];
  readonly metadata: grpc.Metadata[] = [];
  readonly deadlines: grpc.Deadline[] = [];
  /** What `unary` does instead of echoing. */
  unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => void;

  private constructor(server: grpc.Server, port: number) {
    this.#server = server;
    this.port = port;
    this.unary = (call, answer) => {
      const trailers = new grpc.Metadata();
      trailers.set('x-trailer', 'there');
      answer(null, call.request, trailers);
    };
  }

  static async start(port = 0, service = ECHO): Promise<GrpcEndpoint> {
    const server = new grpc.Server();
    const bound = new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, at) =>
        error === null ? resolve(at) : reject(error),
      );
    });
    const holder: { endpoint: GrpcEndpoint | undefined } = { endpoint: undefined };
    const the = (): GrpcEndpoint => holder.endpoint!;
    server.addService(service, {
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
        the().calls++;
        the().metadata.push(call.metadata);
        the().deadlines.push(call.getDeadline());
        call.on('cancelled', () => the().cancelled++);
        the().unary(call, answer);
      },
      collect: (call: grpc.ServerReadableStream<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
        the().calls++;
        let sum = 0;
        call.on('data', (message: Buffer) => (sum += message.length));
        call.on('end', () => answer(null, Buffer.from(String(sum))));
      },
      count: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        the().calls++;
        call.on('cancelled', () => the().cancelled++);
        const last = Number(call.request.toString());
        for (let number = 1; number <= last; number++) call.write(Buffer.from(String(number)));
        if (last > 0) call.end();
      },
      talk: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        the().calls++;
        call.on('cancelled', () => the().cancelled++);
        call.on('data', (message: Buffer) => call.write(message));
        call.on('end', () => call.end());
      },
    });
    server.addService(HEALTH, {
      check: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
        const { serving, askedFor } = the();
        askedFor.push(call.request.subarray(2).toString());
        if (serving < 0) answer({ code: grpc.status.NOT_FOUND, details: 'who?' });
        else answer(null, Buffer.from([0x08, serving]));
      },
    });
    holder.endpoint = new GrpcEndpoint(server, await bound);
    return holder.endpoint;
  }

  get name(): string {
    return `127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }
}
