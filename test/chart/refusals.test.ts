import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { missingHelm, render } from '../support/services/helm.ts';
import { describeWith } from '../support/services/need.ts';
import { scratch } from '../support/services/process.ts';

describeWith('values that cannot be meant are refused', missingHelm(), () => {
  let folder: Awaited<ReturnType<typeof scratch>>;
  beforeAll(async () => {
    folder = await scratch('values');
  });
  afterAll(() => folder.remove());

  test.each([
    ['a key that there is not', { webui: { enable: true } }, /additional propert.*'enable'/],
    ['a section that there is not', { config: { slak: {} } }, /additional propert.*'slak'/],
    ['a key of an output that there is not', { config: { slack: { webhookuri: 'x' } } }, /webhookuri/],
    ['an unknown priority', { config: { slack: { minimumpriority: 'warnin' } } }, /minimumpriority/],
    ['a port that is none', { service: { port: 'http' } }, /service\/port/],
    [
      'an autoscaler with a log on disk',
      { autoscaling: { enabled: true } },
      /needs config\.spool\.driver: jetstream; with disk/,
    ],
    [
      'several pods on one volume',
      { persistence: { existingClaim: 'a' }, replicaCount: 2 },
      /one process at a time.*replicaCount: 1/,
    ],
    [
      'a setting given twice',
      {
        config: { slack: { webhookurl: 'https://x' } },
        secrets: { 'slack.webhookurl': { name: 'a', key: 'b' } },
      },
      /config\.slack\.webhookurl is set, and so is secrets/,
    ],
    [
      'a setting of an instance given twice',
      {
        config: { slack: [{ name: 'soc', webhookurl: 'https://x' }] },
        secrets: { 'slack.soc.webhookurl': { name: 'a', key: 'b' } },
      },
      /config\.slack\.soc\.webhookurl is set/,
    ],
    [
      'a reference without a key',
      { secrets: { 'slack.webhookurl': { name: 'a' } } },
      /missing propert.*'key'/,
    ],
    [
      'half a certificate',
      { config: { tlsserver: { deploy: true, servercrt: 'x' } } },
      /servercrt and .*serverkey only work/,
    ],
    [
      'two certificates',
      { tls: { secretName: 'a' }, config: { tlsserver: { existingSecret: 'b' } } },
      /given more than once/,
    ],
    [
      'client certificates that the kubelet has not',
      { tls: { secretName: 'a', mutual: true }, config: { tlsserver: { notlspaths: '/metrics' } } },
      /probes need \/ping in config\.tlsserver\.notlspaths/,
    ],
    [
      'instances beside a file of one’s own',
      { config: { extraArgs: ['-c', '/x'], slack: [{ name: 'a', webhookurl: 'https://x' }] } },
      /config\.slack: several instances cannot be told by variables/,
    ],
    ['an Ingress without a name', { extraIngresses: [{ hosts: [] }] }, /each of extraIngresses needs a name/],
  ])('%s', async (name, values, message) => {
    const file = join(folder.path, `${name.replaceAll(/\W/g, '-')}.yaml`);
    await writeFile(file, JSON.stringify(values));
    await expect(render({ files: [file] })).rejects.toThrow(message);
  });

  test('and texts are as good as numbers and flags', async () => {
    const values = {
      config: {
        telegram: { chatid: 123, checkcert: 'false', token: 'a' },
        alertmanager: { hostport: 'http://a', expireafter: 900 },
        syslog: { port: '' },
        wavefront: { batchsize: '10000' },
        nats: { checkcert: 'true' },
        slack: { minimumpriority: 'WARNING', webhookurl: null },
      },
    };
    const file = join(folder.path, 'texts.yaml');
    await writeFile(file, JSON.stringify(values));
    await expect(render({ files: [file] })).resolves.toBeDefined();
  });
});
