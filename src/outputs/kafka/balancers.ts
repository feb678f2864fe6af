/**
 * Which partition a record goes to, as in falcosidekick (kafka-go): `murmur2` agrees with the Java client,
 * `crc32` with librdkafka's `consistent`; without a key both put everything in one partition, and their
 * `_random` forms scatter.
 */
import { crc32 } from 'node:zlib';

export const BALANCERS = [
  'round_robin',
  'least_bytes',
  'crc32',
  'crc32_random',
  'murmur2',
  'murmur2_random',
] as const;

export type BalancerName = (typeof BALANCERS)[number];

/**
 * Chooses a partition by its number; both lists are ascending and never empty.
 * @param all where a key belongs to one of them
 * @param open those that are to be had at the moment, where the choice is free
 */
export type Balancer = (
  key: Buffer | null,
  bytes: number,
  all: readonly number[],
  open: readonly number[],
) => number;

const NO_KEY = Buffer.alloc(0);

/** A balancer with a memory of its own. `random` is uniform in [0, 1). */
export function createBalancer(name: BalancerName, random: () => number): Balancer {
  const scattered: Balancer = (_key, _bytes, _all, open) => open[Math.floor(random() * open.length)]!;
  const crc32ed = byHash(crc32);
  const murmured = byHash(key => murmur2(key) & 0x7fff_ffff);
  switch (name) {
    case 'round_robin':
      return roundRobin();
    case 'least_bytes':
      return leastBytes();
    case 'crc32':
      return crc32ed;
    case 'murmur2':
      return murmured;
    case 'crc32_random':
      return (key, ...rest) => (key?.length ? crc32ed : scattered)(key, ...rest);
    case 'murmur2_random':
      return (key, ...rest) => (key ? murmured : scattered)(key, ...rest);
  }
}

function roundRobin(): Balancer {
  let next = 0;
  return (_key, _bytes, _all, open) => open[next++ % open.length]!;
}

function leastBytes(): Balancer {
  const sent = new Map<number, number>();
  const load = (partition: number) => sent.get(partition) ?? 0;
  return (_key, bytes, _all, open) => {
    const chosen = open.reduce((least, partition) => (load(partition) < load(least) ? partition : least));
    sent.set(chosen, load(chosen) + bytes);
    return chosen;
  };
}

function byHash(hash: (key: Buffer) => number): Balancer {
  return (key, _bytes, all) => all[hash(key ?? NO_KEY) % all.length]!;
}

/** MurmurHash2 with the seed and the signed result of Kafka's Java client (org.apache.kafka.common.utils.Utils). */
export function murmur2(data: Buffer): number {
  const M = 0x5bd1e995;
  const mix = (word: number) => {
    const once = Math.imul(word, M);
    return Math.imul(once ^ (once >>> 24), M);
  };
  let hash = 0x9747b28c ^ data.length;
  const whole = data.length & ~3;
  for (let at = 0; at < whole; at += 4) hash = Math.imul(hash, M) ^ mix(data.readInt32LE(at));
  const rest = data.length - whole;
  if (rest > 0) hash = Math.imul(hash ^ data.readUIntLE(whole, rest), M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}
