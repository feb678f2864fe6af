/** Kafka brokers whose partitions fare as a test wants it. They speak as much of the protocol as a producer asks for. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

const PRODUCE = 0;
const METADATA = 3;
const API_VERSIONS = 18;

export interface FakePartition {
  /** Which of the brokers leads it; -1 for none. */
  leader: number;
  /** Kafka's error code for what is produced to it. */
  refuses: number;
  /** Records that it took. */
  stored: number;
}

export interface FakeKafka {
  /** `host:port` of the first broker. */
  address: string;
  partitions: FakePartition[];
  /** Produce requests that came in, by all brokers. */
  produced: number;
  /** Connections that were made, to all brokers. */
  connected: number;
  /** Brokers that answer no produce request. */
  silent: Set<number>;
  /** Nobody listens at this broker any more. */
  leave(broker: number): void;
  close(): void;
}

/** Starts brokers with one topic; all partitions are well and spread over the brokers. */
export async function fakeKafka(partitions: number, brokers = 1): Promise<FakeKafka> {
  const sockets = Array.from({ length: brokers }, (): Socket[] => []);
  const servers = Array.from({ length: brokers }, (_, broker) =>
    createServer(socket => {
      sockets[broker]!.push(socket);
      kafka.connected++;
      socket.on('error', () => undefined);
      let unread = Buffer.alloc(0);
      socket.on('data', data => {
        unread = Buffer.concat([unread, data]);
        while (unread.length >= 4 && unread.length >= 4 + unread.readInt32BE()) {
          const size = unread.readInt32BE();
          const answer = answerTo(new Reader(unread.subarray(4, 4 + size)), broker);
          unread = unread.subarray(4 + size);
          if (answer) socket.write(answer);
        }
      });
    }).listen(0, '127.0.0.1'),
  );
  await Promise.all(servers.map(server => once(server, 'listening')));
  const ports = servers.map(server => (server.address() as AddressInfo).port);

  function answerTo(request: Reader, broker: number): Buffer | undefined {
    const [api, version, correlation] = [request.int16(), request.int16(), request.int32()];
    request.text();
    const body =
      api === PRODUCE ? produce(request, broker) : api === METADATA ? metadata() : apiVersions(version);
    return body && Buffer.concat([int32(4 + body.length), int32(correlation), body]);
  }

  function produce(request: Reader, broker: number): Buffer | undefined {
    kafka.produced++;
    request.text();
    const acks = request.int16();
    request.int32();
    request.int32();
    const topic = request.text();
    const answers = Array.from({ length: request.int32() }, () => {
      const number = request.int32();
      const batch = request.bytes();
      const partition = kafka.partitions[number]!;
      const NOT_LEADER = 6;
      const code = partition.leader === broker ? partition.refuses : NOT_LEADER;
      // The number of records stands at byte 57 of a batch (kafka.apache.org/documentation/#recordbatch).
      if (code === 0) partition.stored += batch.readInt32BE(57);
      return Buffer.concat([int32(number), int16(code), Buffer.alloc(8), Buffer.alloc(8, 0xff)]);
    });
    if (acks === 0 || kafka.silent.has(broker)) return undefined;
    return Buffer.concat([int32(1), text(topic), int32(answers.length), ...answers, int32(0)]);
  }

  /** Version 1. */
  function metadata(): Buffer {
    const LEADER_NOT_AVAILABLE = 5;
    const nodes = ports.map((port, id) =>
      Buffer.concat([int32(id), text('127.0.0.1'), int32(port), int16(-1)]),
    );
    const parts = kafka.partitions.map(({ leader }, id) => {
      const replicas = [int32(1), int32(Math.max(0, leader))];
      const code = leader < 0 ? LEADER_NOT_AVAILABLE : 0;
      return Buffer.concat([int16(code), int32(id), int32(leader), ...replicas, ...replicas]);
    });
    return Buffer.concat([
      ...[int32(nodes.length), ...nodes, int32(0)],
      ...[int32(1), int16(0), text('falco'), Buffer.from([0])],
      ...[int32(parts.length), ...parts],
    ]);
  }

  const kafka: FakeKafka = {
    address: `127.0.0.1:${ports[0]}`,
    partitions: Array.from({ length: partitions }, (_, index) => ({
      leader: index % brokers,
      refuses: 0,
      stored: 0,
    })),
    produced: 0,
    connected: 0,
    silent: new Set(),
    leave(broker) {
      servers[broker]!.close();
      for (const socket of sockets[broker]!) socket.destroy();
    },
    close() {
      for (const broker of servers.keys()) kafka.leave(broker);
    },
  };
  return kafka;
}

function apiVersions(version: number): Buffer {
  const ranges = [
    [PRODUCE, 3, 3],
    [METADATA, 1, 1],
    [API_VERSIONS, 0, 2],
  ];
  const throttle = version > 0 ? [int32(0)] : [];
  return Buffer.concat([int16(0), int32(ranges.length), ...ranges.flat().map(int16), ...throttle]);
}

class Reader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  int16(): number {
    this.#at += 2;
    return this.#data.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#data.readInt32BE(this.#at - 4);
  }

  bytes(size = this.int32()): Buffer {
    this.#at += size;
    return this.#data.subarray(this.#at - size, this.#at);
  }

  /** Empty for null. */
  text(): string {
    return this.bytes(Math.max(0, this.int16())).toString();
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}
