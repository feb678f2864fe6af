/** fake-gcs-server: Cloud Storage with its objects in a folder. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { answersOk, fetchJson } from './http.ts';
import { cacheFolder, freePort, restartable, scratch } from './process.ts';

/** The version that scripts/services.sh fetches. */
const VERSION = '1.56.1';
const program = join(cacheFolder(), `fake-gcs-${VERSION}`, 'fake-gcs-server');

/** Why there is no server; undefined when there is one. */
export function missingFakeGcs(): string | undefined {
  return existsSync(program) ? undefined : `fake-gcs-server ${VERSION} is not there`;
}

/** An object as it is stored. */
export interface StoredObject {
  name: string;
  contentType: string;
  contentEncoding?: string;
  bytes: Buffer;
}

export interface FakeGcs {
  origin: string;
  createBucket(name: string): Promise<void>;
  /** All objects of a bucket. */
  objects(bucket: string): Promise<StoredObject[]>;
  stop(): Promise<void>;
  /** Starts it again on the same port, with its objects. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

export async function startFakeGcs(): Promise<FakeGcs> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const place = await scratch('gcs');
  const args = ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port)];
  const server = await restartable(
    {
      command: program,
      args: [...args, '-backend', 'filesystem', '-filesystem-root', place.path, '-external-url', origin],
      ready: () => answersOk(`${origin}/storage/v1/b?project=test`),
      withinMs: 20_000,
    },
    place,
    'SIGKILL',
  );
  return {
    ...server,
    origin,
    async createBucket(name) {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ name });
      await fetchJson(`${origin}/storage/v1/b?project=test`, { method: 'POST', headers, body });
    },
    async objects(bucket) {
      const { items = [] } = await fetchJson<{ items?: StoredObject[] }>(
        `${origin}/storage/v1/b/${bucket}/o?maxResults=10000`,
      );
      const read = async (object: StoredObject) => {
        const path = `/storage/v1/b/${bucket}/o/${encodeURIComponent(object.name)}?alt=media`;
        return { ...object, bytes: Buffer.from(await (await fetch(origin + path)).arrayBuffer()) };
      };
      return Promise.all(items.map(read));
    },
  };
}
