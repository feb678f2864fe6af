/** The Pub/Sub server of Google's client library, see pubsub/main.go. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, freePort, listens, restartable, scratch } from './process.ts';

/** The version that scripts/services.sh builds. */
const VERSION = '1.50.1';
const program = join(cacheFolder(), `pubsub-${VERSION}`, 'pubsub');

/** Why there is no server; undefined when there is one. */
export function missingPubsub(): string | undefined {
  return existsSync(program) ? undefined : `the Pub/Sub server ${VERSION} is not there`;
}

/** A message that was published. */
export interface PublishedMessage {
  topic: string;
  data: string;
  attributes: Record<string, string> | null;
}

export interface Pubsub {
  /** `host:port`, for PUBSUB_EMULATOR_HOST. */
  address: string;
  /** Everything published so far, before restarts too. */
  messages(): Promise<PublishedMessage[]>;
  stop(): Promise<void>;
  /** Starts it again on the same port, with its topics. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** @param topics full names, `projects/p/topics/t` */
export async function startPubsub(topics: readonly string[]): Promise<Pubsub> {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const place = await scratch('pubsub');
  const journal = join(place.path, 'journal');
  const server = await restartable(
    {
      command: program,
      args: [address, journal, ...topics],
      ready: () => listens(port),
      withinMs: 20_000,
    },
    place,
    'SIGKILL',
  );
  return {
    ...server,
    address,
    async messages() {
      const text = await readFile(journal, 'utf8');
      // What stands behind the last line break is still being written.
      const lines = text.split('\n').slice(0, -1);
      return lines.map(line => JSON.parse(line) as PublishedMessage);
    },
  };
}
