import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import smtp from '../../../../src/outputs/smtp/index.ts';
import { RawServer } from '../../../support/raw-server.ts';
import { falcoAlert } from '../../../support/services/alerts.ts';
import { failureOf, openOutput, trySend } from '../../../support/services/drive.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/**
 * A server on raw sockets, and an output for it that keeps two connections.
 * @param hangsUp whether it does instead of answering the line, after so many mails over the connection
 */
async function keptTwice(hangsUp: (line: string, mailsBefore: number) => boolean) {
  const mails: string[] = [];
  const serve = (socket: Socket) => {
    let over = 0;
    let text: string[] | undefined;
    const answer = (line: string) => {
      if (text && line !== '.') return void text.push(line);
      if (text) mails.push(text.join('\n'));
      text = undefined;
      if (hangsUp(line, over)) return void socket.destroy();
      if (line === '.') over++;
      if (line === 'DATA') text = [];
      socket.write(line === 'DATA' ? '354 go on\r\n' : '250 ok\r\n');
    };
    let rest = '';
    socket.write('220 raw ESMTP\r\n');
    socket.on('data', data => {
      const lines = (rest + data).split('\r\n');
      rest = lines.pop()!;
      for (const line of lines) answer(line);
    });
  };
  const server = await RawServer.listen(serve);
  cleanups.push(() => server.close());
  const config = { hostport: `127.0.0.1:${server.port}`, tls: false, from: 'a@b.test', to: 'c@d.test' };
  const output = await openOutput(smtp, config);
  cleanups.push(() => output.close!());
  await Promise.all([trySend(output, [falcoAlert()]), trySend(output, [falcoAlert()])]);
  expect(server.sockets).toHaveLength(2);
  expect(mails.splice(0)).toHaveLength(2);
  return { output, mails };
}

test('a mail that the server may have is not sent again over the other connections at once', async () => {
  const { output, mails } = await keptTwice((line, before) => line === '.' && before > 0);
  await expect(failureOf(trySend(output, [falcoAlert()]))).resolves.toMatchObject({
    name: 'RetriableError',
    reason: 'network',
  });
  expect(mails).toHaveLength(1);
});

test('kept connections that are dead cost no try', async () => {
  const { output, mails } = await keptTwice((line, before) => line.startsWith('MAIL FROM') && before > 0);
  await trySend(output, [falcoAlert()]);
  expect(mails).toHaveLength(1);
});
