import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { RawServer } from '../support/raw-server.ts';
import { freePort } from '../support/services/process.ts';
import { numbered, Sink, TestDaemon, until } from './support.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test('a sender that does not finish its request takes no time from the tries in flight', async () => {
  const sink = await new Sink().start();
  const daemon = new TestDaemon();
  cleanups.push(
    () => daemon.remove(),
    () => sink.stop(),
  );
  let cutOff = 0;
  sink.behaviour = (_request, response) => {
    response.on('close', () => {
      if (!response.writableFinished) cutOff++;
    });
    setTimeout(() => response.end('ok'), 1_000);
  };
  await daemon.start({
    webhook: { address: sink.url, delivery: { concurrency: 1 } },
    shutdown: { grace: '6s' },
  });
  for (let n = 0; n < 12; n++) await daemon.post(numbered(n));
  const sender = connect(daemon.port, '127.0.0.1');
  sender.on('error', () => {});
  await once(sender, 'connect');
  sender.write('POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{');
  await until('some have been tried', () => sink.received.size > 0);
  expect(await daemon.end()).toBe(0);
  sender.destroy();
  // The next try begins right after the one before: at any moment there is one to be cut off.
  expect(sink.received.size).toBeLessThan(12);
  expect(cutOff).toBe(0);
});

test('the process ends once it has stopped, whatever client libraries still have open', async () => {
  // Takes connections, and never says a word.
  const mute = await RawServer.listen(socket => void socket.resume());
  const daemon = new TestDaemon();
  cleanups.push(
    () => daemon.remove(),
    () => mute.close(),
  );
  await daemon.start({
    stan: { hostport: `nats://127.0.0.1:${mute.port}`, clusterid: 'a', clientid: 'b' },
    shutdown: { grace: '500ms' },
  });
  await daemon.post(numbered(1));
  await until('a try is under way', () => mute.sockets.length > 0);
  const ended = daemon.end();
  await until('the daemon has stopped', () => daemon.logs.includes('"message":"stopped"'));
  const stoppedAt = performance.now();
  expect(await ended).toBe(0);
  expect(performance.now() - stoppedAt).toBeLessThan(2_000);
});

test.each([
  ['whoever ends `npm start` ends the daemon', (npm: number) => process.kill(npm, 'SIGTERM')],
  ['Ctrl-C at `npm start` lets the tries in flight finish', (npm: number) => process.kill(-npm, 'SIGINT')],
])('%s', async (_, end) => {
  const sink = await new Sink().start();
  sink.behaviour = (_request, response) => void setTimeout(() => response.end('ok'), 1_500);
  const daemon = new TestDaemon();
  daemon.port = await freePort();
  daemon.configure({ webhook: { address: sink.url } });
  // The build is there, and other tests are running it.
  const args = ['start', '--ignore-scripts', '--', '-c', daemon.configFile];
  const npm = spawn('npm', args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  cleanups.push(
    () => sink.stop(),
    () => daemon.remove(),
    // The group: what outlives npm, too.
    async () => void (await once(spawn('kill', ['-KILL', '--', `-${npm.pid}`]), 'exit')),
  );
  let logs = '';
  npm.stderr.on('data', chunk => {
    logs += chunk;
  });
  await until('the daemon answers', () =>
    daemon.get('/ping').then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  await daemon.post(numbered(1));
  await until('a try is under way', () => sink.requests > 0);
  end(npm.pid!);
  await until('the daemon has stopped', () => logs.includes('"message":"stopped"'), 10_000);
  expect(sink.received.get(1)).toBe(1);
  await expect(daemon.get('/ping')).rejects.toThrow();
});

test('a second signal ends the daemon at once', async () => {
  const sink = await new Sink().start();
  sink.behaviour = () => {};
  const daemon = new TestDaemon();
  cleanups.push(
    () => sink.stop(),
    () => daemon.remove(),
  );
  await daemon.start({ webhook: { address: sink.url } });
  await daemon.post(numbered(1));
  await until('a try is under way', () => sink.requests > 0);
  daemon.signal('SIGTERM');
  await new Promise(resolve => setTimeout(resolve, 600));
  expect(await daemon.end('SIGTERM')).toBe(143);
});
