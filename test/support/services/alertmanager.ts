import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answersOk, fetchJson } from './http.ts';
import { findProgram, freePort, launch, scratch } from './process.ts';

const PROGRAM = 'prometheus-alertmanager';

/** Why there is no Alertmanager; undefined when there is one. */
export function missingAlertmanager(): string | undefined {
  return findProgram(PROGRAM) ? undefined : `${PROGRAM} is not installed`;
}

/** An alert as Alertmanager shows it: github.com/prometheus/alertmanager, api/v2/openapi.yaml. */
export interface ShownAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
}

export interface Alertmanager {
  url: string;
  /** The alerts that are active. */
  alerts(): Promise<ShownAlert[]>;
  stop(): Promise<void>;
}

/** Starts an Alertmanager that notifies nobody. */
export async function startAlertmanager(): Promise<Alertmanager> {
  const folder = await scratch('alertmanager');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(folder.path, 'alertmanager.yml');
  await writeFile(config, 'route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n');
  const running = await launch({
    command: findProgram(PROGRAM)!,
    args: [
      `--config.file=${config}`,
      `--storage.path=${join(folder.path, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    ready: () => answersOk(`${url}/-/ready`),
    withinMs: 30_000,
  });
  return {
    url,
    alerts: () => fetchJson(`${url}/api/v2/alerts`),
    stop: async () => {
      await running.stop();
      await folder.remove();
    },
  };
}
