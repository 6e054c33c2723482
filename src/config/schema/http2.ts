import { z } from 'zod';

import { positiveDuration, sizeBetween } from './units.ts';

function allowance(burst: number, perSecond: number, what: string) {
  return z
    .strictObject({
      burst: z.number().int().min(1).max(1_000_000).default(burst).meta({ description: 'So many at once.' }),
      perSecond: z
        .number()
        .int()
        .min(1)
        .max(1_000_000)
        .default(perSecond)
        .meta({ description: 'So many a second in the long run.' }),
    })
    .prefault({})
    .meta({ description: what });
}

const KIB = 1024;
const MIB = 1024 * 1024;

/** `http2` of a listener. */
export const http2 = z
  .strictObject({
    cleartext: z.boolean().default(false).meta({
      description:
        'Serve clients without TLS that begin with the HTTP/2 preface (h2c with prior knowledge), beside HTTP/1.1.',
    }),
    maxConcurrentStreams: z.number().int().min(1).max(10_000).default(100).meta({
      description: 'Requests under way on one connection; more are refused, safe to be sent again.',
    }),
    initialStreamWindow: sizeBetween(64 * KIB, 16 * MIB)
      .prefault('256KiB')
      .meta({ description: 'Bytes of a request body that a client may send ahead of the endpoint.' }),
    initialConnectionWindow: sizeBetween(64 * KIB, 64 * MIB)
      .prefault('1MiB')
      .meta({ description: 'The same for all requests of a connection together.' }),
    maxFrameSize: sizeBetween(16 * KIB, MIB)
      .prefault('16KiB')
      .meta({ description: 'Largest frame that clients may send.' }),
    headerTableSize: sizeBetween(0, 64 * KIB)
      .prefault('4KiB')
      .meta({ description: 'Memory for header compression (HPACK) of what a client sends.' }),
    resets: allowance(
      200,
      50,
      'Streams of a connection that end by a reset of the client, or of ours because of what it did; more: GOAWAY.',
    ),
    controlFrames: allowance(
      1000,
      100,
      'Frames that carry nothing of a request, beyond those that go with requests and responses; more: GOAWAY.',
    ),
    webSocket: z
      .boolean()
      .default(true)
      .meta({ description: 'Offer WebSocket over HTTP/2 (RFC 8441), bridged to the endpoint.' }),
    maxConnectionAge: positiveDuration.optional().meta({
      description: 'A connection takes no further requests after that time. Default: no limit.',
    }),
  })
  .prefault({})
  .meta({ description: 'HTTP/2 towards clients.' });
