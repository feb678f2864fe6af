/**
 * Builds the image without a container daemon and tries what it promises; ends with `N passed, N failed`.
 *
 *   IMAGE_BUILDER=<script> node scripts/image-check.ts
 *
 * IMAGE_BUILDER is called with a folder to work in, the context, a tag and, after `--`, options for `buildah build`. It
 * keeps buildah's storage in that folder. Wants root and Linux: the image's files are mounted read-only and its entry
 * point runs in them, as the user that it names, without capabilities and without a shell.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CREATED = '2026-01-02T03:04:05Z';
const TAG = 'tiercel:check';
const builder = process.env.IMAGE_BUILDER;
const work = join(process.env.TIERCEL_CACHE ?? join(homedir(), '.cache', 'tiercel'), 'image');

let passed = 0;
let failed = 0;

async function check(what: string, holds: () => unknown): Promise<void> {
  let problem: string | undefined;
  try {
    const held = await holds();
    if (held !== true) problem = `found ${JSON.stringify(held)}`;
  } catch (error) {
    problem = (error as Error).message;
  }
  if (problem === undefined) passed++;
  else failed++;
  console.log(problem === undefined ? `ok    ${what}` : `FAIL  ${what}: ${problem}`);
}

/** buildah over the storage that the builder uses. */
function buildah(...args: string[]): string {
  const registries = join(work, 'conf', 'registries.conf');
  const where = [
    '--root',
    join(work, 'storage'),
    '--runroot',
    join(work, 'run'),
    '--storage-driver',
    'overlay',
  ];
  const env = {
    ...process.env,
    CONTAINERS_REGISTRIES_CONF: registries,
    BUILDAH_ISOLATION: 'chroot',
    TMPDIR: work,
  };
  const options = { env, encoding: 'utf8' as const, maxBuffer: 64 << 20 };
  return execFileSync('buildah', [...where, '--registries-conf', registries, ...args], options).trim();
}

interface ImageConfig {
  User: string;
  Entrypoint: string[];
  Cmd: string[] | null;
  Env: string[];
  ExposedPorts: Record<string, unknown>;
  Volumes: Record<string, unknown>;
  Labels: Record<string, string>;
  WorkingDir: string;
}

function build(...options: string[]): ImageConfig {
  const labels = { VERSION: '9.9.9', REVISION: 'abc123', CREATED, SOURCE: 'https://example.test/tiercel' };
  const args = Object.entries(labels).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  const time = ['--timestamp', String(Date.parse(CREATED) / 1000)];
  execFileSync(builder!, [work, ROOT, TAG, '--', ...time, ...args, ...options], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PORT: '' },
  });
  return JSON.parse(buildah('inspect', '--type', 'image', TAG)).Docker.config as ImageConfig;
}

/** Each run leaves some 30 layers, 0.9 GB: the next one need not build them again. */
const LAYERS_KEPT = 80;

/** Removes what runs have left in the storage once it is more than is worth keeping. The base image stays. */
function removeBuilds(): void {
  if (buildah('images', '--all', '--quiet').split('\n').length <= LAYERS_KEPT) return;
  const builds = buildah('images', '--quiet', '--filter', `reference=${TAG}`);
  if (builds !== '') buildah('rmi', '--force', ...builds.split('\n'));
  // Each call takes the layers that nothing is built on, so there is one call for each level of them.
  while (buildah('rmi', '--prune') !== '');
}

/** The image's files, mounted; undone with `close`. */
function mounted(): { path: string; close(): void } {
  const container = buildah('from', '--pull-never', TAG).split('\n').at(-1)!;
  const path = buildah('mount', container).split('\n').at(-1)!;
  return {
    path,
    close: () => {
      buildah('umount', container);
      buildah('rm', container);
    },
  };
}

/** Mode, owner and content of each file that the build puts into the image, by path. */
function treeOf(root: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const place of ['app', 'usr/local/bin/tiercel', 'var/lib/tiercel']) {
    const below = lstatSync(join(root, place)).isDirectory()
      ? readdirSync(join(root, place), { recursive: true, encoding: 'utf8' })
      : [];
    for (const path of [place, ...below.map(name => join(place, name))]) {
      const { mode, uid, gid } = lstatSync(join(root, path));
      const link = (mode & constants.S_IFMT) === constants.S_IFLNK;
      const file = (mode & constants.S_IFMT) === constants.S_IFREG;
      const content = link ? readlinkSync(join(root, path)) : file ? readFileSync(join(root, path)) : '';
      found.set(path, `${mode} ${uid}:${gid} ${createHash('sha256').update(content).digest('hex')}`);
    }
  }
  return found;
}

// The last lines take the shell away and become the entry point.
const RUN = `
set -e
root=$1 data=$2 user=$3; shift 3
mount --bind "$root" "$root"
mount --bind "$data" "$root/var/lib/tiercel"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for shell in sh bash dash; do [ -e "$root/usr/bin/$shell" ] && mount --bind /dev/null "$root/usr/bin/$shell"; done
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user" "$root" "$@"`;

class Container {
  readonly child: ChildProcess;
  output = '';

  constructor(
    root: string,
    data: string,
    config: ImageConfig,
    args: string[],
    env: Record<string, string> = {},
  ) {
    const image = Object.fromEntries(
      config.Env.map(one => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
    );
    this.child = spawn('unshare', ['-m', 'sh', '-c', RUN, 'sh', root, data, config.User, ...args], {
      env: { ...image, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', chunk => {
        this.output = (this.output + chunk).slice(-20_000);
      });
    }
  }

  async answers(url: string, withinMs: number): Promise<boolean> {
    const deadline = Date.now() + withinMs;
    while (Date.now() < deadline) {
      if (this.child.exitCode !== null)
        throw new Error(`it ended with ${this.child.exitCode}: ${this.output}`);
      const answer = await fetch(url).catch(() => undefined);
      if (answer?.status === 200) return true;
      await sleep(50);
    }
    throw new Error(`no answer from ${url}: ${this.output}`);
  }

  /** The exit code after SIGTERM. */
  async stop(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const [code] = await ended;
    return code as number | null;
  }

  /** What the kernel says of the process. */
  status(field: string): string {
    const text = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
  }
}

function alert(n: number): string {
  return JSON.stringify({
    time: new Date().toISOString(),
    rule: 'Numbered',
    priority: 'Warning',
    source: 'syscall',
    output: `alert number ${n}`,
    output_fields: { n },
  });
}

/** A far end that takes its time, and notes what arrived. */
async function slowReceiver(delayMs: number) {
  const received = new Set<number>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      setTimeout(() => {
        received.add(JSON.parse(Buffer.concat(chunks).toString()).output_fields.n);
        response.end('ok');
      }, delayMs);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { received, port, url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

async function freePort(): Promise<number> {
  const { port, close } = await slowReceiver(0);
  close();
  return port;
}

async function tryDescription(config: ImageConfig): Promise<void> {
  await check('it runs as user 1234, by number', () => config.User === '1234:1234' || config.User);
  await check(
    'its entry point is a program, not a shell',
    () => config.Entrypoint[0] === 'node' && !config.Cmd?.length,
  );
  await check(
    'ports 2801 and 2810',
    () => Object.keys(config.ExposedPorts).sort().join() === '2801/tcp,2810/tcp',
  );
  await check('the data folder is a volume', () => '/var/lib/tiercel' in config.Volumes);
  const expected: Record<string, string> = {
    title: 'Tiercel',
    licenses: 'Apache-2.0',
    version: '9.9.9',
    revision: 'abc123',
    created: CREATED,
    source: 'https://example.test/tiercel',
  };
  for (const [name, value] of Object.entries(expected)) {
    const label = config.Labels[`org.opencontainers.image.${name}`];
    await check(`label ${name}`, () => label === value || label);
  }
}

async function tryFiles(root: string): Promise<void> {
  const sbom = JSON.parse(readFileSync(join(root, 'app/sbom.cdx.json'), 'utf8'));
  const listed = new Set((sbom.components as { 'bom-ref': string }[]).map(one => one['bom-ref']));
  const lock = JSON.parse(readFileSync(join(root, 'app/node_modules/.package-lock.json'), 'utf8'));
  const there = Object.keys(lock.packages);
  await check('the bill of materials names each package that is there, and no other', () => {
    const unlisted = there.filter(path => !listed.has(path));
    return (unlisted.length === 0 && listed.size === there.length) || [unlisted, listed.size, there.length];
  });
  const tools = ['typescript', 'vitest', '@biomejs/biome', 'node'];
  await check('no tools of the build are in it', () =>
    tools.every(tool => !there.includes(`node_modules/${tool}`)),
  );
}

/** As the Falco Operator runs its component: no arguments, no settings, a foreign user, nothing to write to. */
async function tryComponent(root: string, data: string, config: ImageConfig): Promise<void> {
  const container = new Container(root, data, config, config.Entrypoint);
  try {
    await check('without settings it answers on port 2801 within 10 s', () =>
      container.answers('http://127.0.0.1:2801/ping', 10_000),
    );
    await check(
      'as 1234:1234',
      () => /^1234(\s1234)+$/.test(container.status('Uid')) || container.status('Uid'),
    );
    await check(
      'without capabilities',
      () => /^0+$/.test(container.status('CapEff')) || container.status('CapEff'),
    );
    await check('and shows the alerts it gets', async () => {
      await fetch('http://127.0.0.1:2801/', { method: 'POST', body: alert(1) });
      for (let tries = 0; tries < 100 && !container.output.includes('alert number 1'); tries++)
        await sleep(50);
      return container.output.includes('alert number 1') || container.output;
    });
    await check('SIGTERM ends it with 0', async () => (await container.stop()) === 0);
  } finally {
    await container.stop();
  }
}

/** Posts in, messages out; what SIGTERM interrupts goes out after the next start. */
async function tryDrain(root: string, data: string, config: ImageConfig): Promise<void> {
  const far = await slowReceiver(200);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = {
    LISTENPORT: String(port),
    LISTENADDRESS: '127.0.0.1',
    WEBHOOK_ADDRESS: far.url,
    WEBHOOK_DELIVERY_CONCURRENCY: '8',
    SHUTDOWN_GRACE: '2s',
  };
  const start = () => new Container(root, data, config, config.Entrypoint, env);
  let container = start();
  try {
    await container.answers(`${url}/ping`, 10_000);
    const taken: number[] = [];
    for (let n = 0; n < 200; n++) {
      const answer = await fetch(url, { method: 'POST', body: alert(n) });
      if (answer.ok) taken.push(n);
    }
    await check('it takes 200 alerts while the far end is slow', () => taken.length === 200 || taken.length);
    await check('SIGTERM in the middle ends it with 0', async () => (await container.stop()) === 0);
    const early = far.received.size;
    container = start();
    await container.answers(`${url}/ping`, 10_000);
    for (let tries = 0; tries < 400 && far.received.size < 200; tries++) await sleep(50);
    await check(`nothing is lost (${early} arrived before the restart)`, () => {
      const missing = taken.filter(n => !far.received.has(n));
      return (missing.length === 0 && early > 0) || missing;
    });
  } finally {
    await container.stop();
    far.close();
  }
}

async function tryCommand(root: string, data: string, config: ImageConfig): Promise<void> {
  const container = new Container(root, data, config, ['/usr/local/bin/tiercel', '--version']);
  await once(container.child, 'exit');
  await check(
    'the command `tiercel` needs no shell',
    () => container.output.includes('abc123') || container.output,
  );
}

if (!builder || process.getuid?.() !== 0) {
  console.log('image-check: IMAGE_BUILDER is not set, or this is not root: nothing was tried');
  console.log('0 passed, 0 failed');
  process.exit(0);
}
mkdirSync(work, { recursive: true });
const config = build();
await tryDescription(config);
const image = mounted();
const first = treeOf(image.path);
const data = mkdtempSync(join(tmpdir(), 'tiercel-image-'));
execFileSync('chown', ['1234:1234', data]);
try {
  await tryFiles(image.path);
  await tryCommand(image.path, data, config);
  await tryComponent(image.path, data, config);
  await tryDrain(image.path, data, config);
} finally {
  image.close();
  rmSync(data, { recursive: true, force: true });
}
build('--no-cache');
const again = mounted();
try {
  const files = treeOf(again.path);
  await check(`a second build, from nothing, gives the same ${first.size} files`, () => {
    const differing = [...new Set([...first.keys(), ...files.keys()])].filter(
      path => first.get(path) !== files.get(path),
    );
    return (differing.length === 0 && first.size > 1000) || differing.slice(0, 10);
  });
} finally {
  again.close();
}
removeBuilds();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
