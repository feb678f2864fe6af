import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchJson } from './http.ts';
import { findProgram, freePorts, launch, scratch } from './process.ts';

/** Why there is no InfluxDB; undefined when there is one. */
export function missingInfluxdb(): string | undefined {
  return findProgram('influxd') ? undefined : 'influxd is not installed';
}

/** A point: column → value; `time` is RFC 3339 with nanoseconds. */
export type Point = Record<string, string | null>;

export interface Influxdb {
  url: string;
  /** The points of the measurement `events`. */
  points(): Promise<Point[]>;
  stop(): Promise<void>;
}

/** Who may do everything, when users are wanted. */
export const ADMIN = { user: 'ada', password: 'p@ss w0rd&' };

/** Starts InfluxDB 1 with a database `falco`. @param users whether it wants name and password */
export async function startInfluxdb(users = false): Promise<Influxdb> {
  const folder = await scratch('influxdb');
  const [port, backup] = await freePorts(2);
  const url = `http://127.0.0.1:${port}`;
  const file = join(folder.path, 'influxdb.conf');
  const path = (name: string) => JSON.stringify(join(folder.path, name));
  await writeFile(
    file,
    `
reporting-disabled = true
bind-address = "127.0.0.1:${backup}"
[meta]
  dir = ${path('meta')}
[data]
  dir = ${path('data')}
  wal-dir = ${path('wal')}
[http]
  bind-address = "127.0.0.1:${port}"
  auth-enabled = ${users}
[monitor]
  store-enabled = false
`,
  );
  const running = await launch({
    command: findProgram('influxd')!,
    args: ['-config', file],
    ready: async () => (await fetch(`${url}/ping`)).status === 204,
    withinMs: 30_000,
  });
  const authorization = `Basic ${btoa(`${ADMIN.user}:${ADMIN.password}`)}`;
  const query = (q: string) =>
    fetchJson<{ results: { series?: { columns: string[]; values: unknown[][] }[] }[] }>(
      `${url}/query?${new URLSearchParams({ db: 'falco', q })}`,
      { method: 'POST', headers: users ? { authorization } : {} },
    );
  if (users) await query(`CREATE USER ${ADMIN.user} WITH PASSWORD '${ADMIN.password}' WITH ALL PRIVILEGES`);
  await query('CREATE DATABASE falco');
  return {
    url,
    points: async () => {
      const { results } = await query('SELECT * FROM events');
      const [series] = results[0]?.series ?? [];
      return (series?.values ?? []).map(row =>
        Object.fromEntries(row.map((value, index) => [series!.columns[index]!, value as string | null])),
      );
    },
    stop: async () => {
      await running.stop();
      await folder.remove();
    },
  };
}
