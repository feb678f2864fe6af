import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answersOk, fetchJson } from './http.ts';
import { findProgram, freePort, launch, scratch } from './process.ts';

/** Why there is no Prometheus; undefined when there is one. */
export function missingPrometheus(): string | undefined {
  const missing = ['prometheus', 'promtool'].filter(name => !findProgram(name));
  return missing.length > 0 ? `${missing.join(' and ')} not installed` : undefined;
}

/** A series with its newest value. */
export interface Sample {
  metric: Record<string, string>;
  /** Time in seconds, and the value as text. */
  value: [number, string];
}

export interface Prometheus {
  query(expression: string): Promise<Sample[]>;
  stop(): Promise<void>;
}

/** Starts a Prometheus that reads `/metrics` of one address, `host:port`, all the time. */
export async function startPrometheus(target: string): Promise<Prometheus> {
  const folder = await scratch('prometheus');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const file = join(folder.path, 'prometheus.yml');
  const scrape = { job_name: 'tiercel', scrape_interval: '200ms', scrape_timeout: '200ms' };
  // JSON is YAML.
  const config = { scrape_configs: [{ ...scrape, static_configs: [{ targets: [target] }] }] };
  await writeFile(file, JSON.stringify(config));
  const running = await launch({
    command: findProgram('prometheus')!,
    args: [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder.path, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    ready: () => answersOk(`${url}/-/ready`),
    withinMs: 30_000,
  });
  return {
    query: async expression => {
      const search = new URLSearchParams({ query: expression });
      const answer = await fetchJson<{ data: { result: Sample[] } }>(`${url}/api/v1/query?${search}`);
      return answer.data.result;
    },
    stop: async () => {
      await running.stop();
      await folder.remove();
    },
  };
}

/** What `promtool check metrics` has to say about an exposition; empty when nothing is wrong. */
export function checkMetrics(text: string): Promise<string> {
  return new Promise(resolve => {
    const child = execFile(findProgram('promtool')!, ['check', 'metrics'], (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
    child.stdin!.end(text);
  });
}
