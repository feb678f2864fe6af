import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answersOk, fetchJson } from './http.ts';
import { cacheFolder, findProgram, freePorts, launch, scratch } from './process.ts';

/** The version that scripts/services.sh fetches. */
const VERSION = '2.19.1.0';
const folderOfJars = join(cacheFolder(), `opensearch-${VERSION}`);

/** Why there is no OpenSearch; undefined when there is one. */
export function missingOpensearch(): string | undefined {
  if (!findProgram('javac')) return 'a JDK is not installed';
  return existsSync(join(folderOfJars, 'complete')) ? undefined : `OpenSearch ${VERSION} is not there`;
}

/** A stored document. */
export interface Hit {
  _index: string;
  _source: Record<string, unknown>;
}

export interface Opensearch {
  url: string;
  /** What is stored in the indexes that fit the pattern, in no order. */
  documents(pattern: string): Promise<Hit[]>;
  put(path: string, body: object): Promise<unknown>;
  get<T>(path: string): Promise<T>;
  stop(): Promise<void>;
}

/** Starts a cluster of one node without users. It answers as Elasticsearch 7 does. */
export async function startOpensearch(): Promise<Opensearch> {
  const folder = await scratch('opensearch');
  const [port, transport] = await freePorts(2);
  const url = `http://127.0.0.1:${port}`;
  const program = fileURLToPath(new URL('./OpenSearchNode.java', import.meta.url));
  const java = ['-Xms256m', '-Xmx512m', '-XX:TieredStopAtLevel=1', '-cp', join(folderOfJars, 'lib', '*')];
  const running = await launch({
    command: findProgram('java')!,
    args: [...java, program, join(folder.path, 'node'), String(port), String(transport)],
    ready: () => answersOk(`${url}/_cluster/health?wait_for_status=yellow&timeout=1s`),
    withinMs: 180_000,
  });
  const json = { 'content-type': 'application/json' };
  return {
    url,
    documents: async pattern => {
      await fetchJson(`${url}/${pattern}/_refresh`, { method: 'POST' });
      const { hits } = await fetchJson<{ hits: { hits: Hit[] } }>(`${url}/${pattern}/_search?size=1000`);
      return hits.hits;
    },
    put: (path, body) => fetchJson(url + path, { method: 'PUT', headers: json, body: JSON.stringify(body) }),
    get: path => fetchJson(url + path),
    stop: async () => {
      await running.stop('SIGKILL');
      await folder.remove();
    },
  };
}
