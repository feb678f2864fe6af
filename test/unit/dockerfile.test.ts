/** What the Dockerfile promises, as far as it can be read off it; scripts/image-check.ts builds it and tries the image. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Instruction {
  name: string;
  text: string;
}

/** The instructions of each stage; comments are left out, continued lines put together. */
function stagesOf(dockerfile: string): Instruction[][] {
  const lines = dockerfile
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .filter(line => line.trim() !== '');
  const stages: Instruction[][] = [[]];
  for (const line of lines) {
    const [, name, text] = /^(\S+)\s+(.*)$/.exec(line)!;
    if (name === 'FROM') stages.push([]);
    stages.at(-1)!.push({ name: name!, text: text!.trim() });
  }
  return stages;
}

const stages = stagesOf(read('Dockerfile'));
const final = stages.at(-1)!;
const all = (name: string, from: readonly Instruction[] = final) =>
  from.filter(one => one.name === name).map(({ text }) => text);

test('all that is copied is there, and is let through to the build', () => {
  const allowed = read('.dockerignore')
    .split('\n')
    .filter(line => line.startsWith('!'))
    .map(line => line.slice(1));
  const sources = all('COPY', stages.flat())
    .filter(text => !text.startsWith('--from'))
    .flatMap(text => text.split(/\s+/).slice(0, -1));
  expect(sources.length).toBeGreaterThan(5);
  for (const source of sources) {
    expect(existsSync(new URL(`../../${source}`, import.meta.url)), source).toBe(true);
    expect(allowed, source).toContain(source);
  }
});

test('the program that builds is copied before it runs', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const needed = [...scripts.build!.matchAll(/scripts\/\S+/g)].map(([file]) => file);
  const building = stages.find(stage => all('RUN', stage).some(text => text.includes('npm run build')))!;
  const copied = all('COPY', building).flatMap(text => text.split(/\s+/).slice(0, -1));
  expect(copied).toEqual(expect.arrayContaining(needed));
});

test('it runs as a user by number, and starts the daemon without a shell', () => {
  expect(all('USER')).toEqual(['1234:1234']);
  const [entry] = all('ENTRYPOINT').map(text => JSON.parse(text) as string[]);
  // The settings of its memory are in src/main.ts, and nowhere else.
  expect(entry).toEqual(['node', '/app/dist/main.js']);
  expect(all('CMD')).toEqual([]);
  expect(JSON.parse(all('HEALTHCHECK')[0]!.replace(/^.*?CMD /, ''))).toContain('node');
  expect(all('EXPOSE')).toEqual(['2801 2810']);
  expect(all('VOLUME')).toEqual(['/var/lib/tiercel']);
});

describe('the health check', () => {
  const [command, ...args] = JSON.parse(all('HEALTHCHECK')[0]!.replace(/^.*?CMD /, '')) as string[];

  /** Whether it takes a daemon for healthy that answers well at `/ping` alone. */
  async function check(environment: (port: number) => Record<string, string>): Promise<boolean> {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/ping' ? 200 : 404).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const env = environment((server.address() as AddressInfo).port);
    const child = spawn(command === 'node' ? process.execPath : command!, args, { env });
    const [code] = await once(child, 'exit');
    server.close();
    return code === 0;
  }

  test.each<[string, (port: number) => Record<string, string>]>([
    ['LISTENPORT', port => ({ LISTENPORT: `${port}` })],
    [
      'LISTENPORT, where the others are empty',
      port => ({ LISTENPORT: `${port}`, TIERCEL_URL: '', TIERCEL_HEALTH_URL: '' }),
    ],
    ['TIERCEL_URL', port => ({ TIERCEL_URL: `http://127.0.0.1:${port}` })],
    ['TIERCEL_URL with a slash at its end', port => ({ TIERCEL_URL: `http://127.0.0.1:${port}/` })],
    ['TIERCEL_URL with a user', port => ({ TIERCEL_URL: `http://falco:p%40ss@127.0.0.1:${port}` })],
    [
      'TIERCEL_HEALTH_URL, whatever the commands ask',
      port => ({
        TIERCEL_URL: `http://127.0.0.1:${port}/elsewhere`,
        TIERCEL_HEALTH_URL: `http://127.0.0.1:${port}/ping`,
      }),
    ],
  ])('asks at %s', async (_name, environment) => {
    expect(await check(environment)).toBe(true);
  });

  test('any other answer is not healthy', async () => {
    expect(await check(port => ({ TIERCEL_HEALTH_URL: `http://127.0.0.1:${port}/other` }))).toBe(false);
  });
});

test('it says what it is, and of what it is made', () => {
  const labels = all('LABEL').join(' ');
  for (const name of ['title', 'description', 'licenses', 'version', 'revision', 'created', 'source']) {
    expect(labels).toContain(`org.opencontainers.image.${name}=`);
  }
  expect(all('COPY').join('\n')).toContain('sbom.cdx.json');
});

test('what is installed is the same for every architecture, so one platform can build for all', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { dev?: boolean; os?: string[]; cpu?: string[]; hasInstallScript?: boolean }>;
  };
  const bound = Object.entries(packages)
    .filter(([, { dev, os, cpu, hasInstallScript }]) => !dev && (os || cpu || hasInstallScript))
    .map(([path]) => path);
  expect(bound).toEqual([]);
});

test('the base can be pinned, and is the same in all stages', () => {
  expect(all('ARG', stages[0]!)).toEqual(['NODE_IMAGE=node:24-slim']);
  const bases = stages.slice(1).map(stage => stage[0]!.text.replace(/^--platform=\S+ /, '').split(' ')[0]);
  expect(bases.every(base => base === `\${NODE_IMAGE}`)).toBe(true);
});
