/** A server that speaks just enough NATS to answer wrongly, or not at all. */
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface RawNats {
  port: number;
  /** Connections so far, in their order. */
  sockets: Socket[];
  close(): Promise<void>;
}

const INFO = {
  server_id: 'raw',
  version: '2.10.0',
  proto: 1,
  headers: true,
  jetstream: true,
  max_payload: 1 << 20,
};
const PUBLISHED = /^H?PUB (\S+) (?:(\S+) )??(?:(\d+) )?(\d+)$/;

/** @param answer is told of what is published; what a request to the subject is answered, undefined: nothing */
export async function startRawNats(
  answer: (subject: string, body: Buffer) => Uint8Array | undefined = () => undefined,
): Promise<RawNats> {
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    sockets.push(socket);
    const subscribed = new Map<string, string>();
    const respond = (reply: string, body: Uint8Array) => {
      const sid = subscribed.get(reply) ?? subscribed.get(reply.replace(/[^.]+$/, '*'));
      socket.write(`MSG ${reply} ${sid} ${body.length}\r\n`);
      socket.write(Buffer.concat([body, Buffer.from('\r\n')]));
    };
    let rest = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', data => {
      rest = Buffer.concat([rest, data]);
      for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
        const line = rest.toString('latin1', 0, end);
        const [, subject, reply, headers = '0', length] = PUBLISHED.exec(line) ?? [];
        const after = end + 2 + (length === undefined ? 0 : Number(length) + 2);
        if (rest.length < after) return;
        const body = rest.subarray(end + 2 + Number(headers), after - 2);
        rest = rest.subarray(after);
        const [verb, name, sid] = line.split(' ');
        if (verb === 'PING') socket.write('PONG\r\n');
        else if (verb === 'SUB') subscribed.set(name!, sid!);
        const answered = subject === undefined ? undefined : answer(subject, body);
        if (answered && reply !== undefined) respond(reply, answered);
      }
    });
    socket.write(`INFO ${JSON.stringify(INFO)}\r\n`);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
