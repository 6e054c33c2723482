/** UDP endpoints that answer everything with itself. Arguments: ports. */
import type { DatagramAcceptor } from '../src/net/datagram-socket.ts';
import { bindDatagrams, serveDatagrams } from '../src/net/datagrams.ts';

for (const port of process.argv.slice(2).map(Number)) {
  const acceptor: DatagramAcceptor = {
    onDatagram: (bytes, length, party) => listener.send(party, bytes, length),
    onTruncated() {},
    onLost() {},
  };
  const listener = await serveDatagrams(await bindDatagrams('127.0.0.1', port, false), acceptor);
}
