import { afterAll, beforeAll, expect, test } from 'vitest';
import alertmanager from '../../src/outputs/alertmanager/index.ts';
import { closeClients } from '../support/http-client.ts';
import {
  type Alertmanager,
  missingAlertmanager,
  startAlertmanager,
} from '../support/services/alertmanager.ts';
import { falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { failureOf, openOutput, trySend } from '../support/services/drive.ts';
import { httpHostOf, readUntil } from '../support/services/http.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort } from '../support/services/process.ts';

describeWith('alertmanager', missingAlertmanager(), () => {
  let server: Alertmanager;

  beforeAll(async () => {
    server = await startAlertmanager();
  });
  afterAll(async () => {
    await closeClients();
    await server?.stop();
  });

  const open = (config: object = {}) =>
    openOutput(alertmanager, { hostport: server.url, ...config }, httpHostOf());

  /** The alerts with a rule, once there are so many. */
  const shown = (rule: RegExp, count: number) =>
    readUntil(
      async () => (await server.alerts()).filter(({ labels }) => rule.test(labels.alertname ?? '')),
      alerts => alerts.length >= count,
    );

  test('an alert is there with its labels and annotations', async () => {
    const extralabels = { cluster: 'blue' };
    const time = new Date().toISOString();
    const rule = 'Änderung "x" <y>\n& z';
    const alert = falcoAlert({ rule, time, output: '“quoted” 日本語 \\ \n second line' });
    await trySend(await open({ extralabels, expiresafter: 3600 }), [alert]);
    const [one] = await shown(/^Änderung/, 1);
    expect(one!.labels).toMatchObject({
      alertname: rule,
      rule,
      source: 'falco',
      eventsource: 'syscall',
      hostname: 'node-1',
      priority: 'Warning',
      severity: 'warning',
      tags: 'shell',
      cluster: 'blue',
      container_id: '7f3c2a',
    });
    expect(one!.annotations).toMatchObject({ description: alert.output, summary: rule });
    expect(Date.parse(one!.endsAt)).toBe(Date.parse(time) + 3_600_000);
  });

  test('a batch arrives whole, and an alert that is sent again is the same', async () => {
    const alerts = falcoAlerts(300).map((_, index) => falcoAlert({ rule: `batch ${index}` }));
    const output = await open();
    await trySend(output, alerts);
    await trySend(output, alerts.slice(0, 100));
    await shown(/^batch /, 300);
    expect(
      (await server.alerts()).filter(({ labels }) => labels.alertname!.startsWith('batch')),
    ).toHaveLength(300);
  });

  test('fields of any name and type are taken', async () => {
    const fields = {
      'proc.aname[2]': 'init',
      'k8s.ns.labels[team/color]': 'blue',
      '0day': 'x',
      '': 'no name',
      größe: 7,
      'a.b': 1,
      a_b: 2,
      rule: 'not the rule',
      list: [1],
      none: null,
    };
    const odd = falcoAlert({ rule: 'odd', hostname: '', tags: [] }, fields);
    await trySend(await open(), [odd]);
    const [one] = await shown(/^odd$/, 1);
    expect(one!.labels).toMatchObject({ rule: 'odd', proc_aname_2: 'init' });
    expect(Object.values(one!.labels)).toEqual(
      expect.arrayContaining(['blue', 'x', 'no name', 'not the rule', '1', '2', '7']),
    );
  });

  test('a wrong path is told as such, and a server that is away', async () => {
    expect(await failureOf(trySend(await open({ endpoint: '/nowhere' }), [falcoAlert()]))).toMatchObject({
      name: 'PermanentError',
    });
    const away = await open({ hostport: `http://127.0.0.1:${await freePort()}` });
    expect(await failureOf(trySend(away, [falcoAlert()]))).toMatchObject({
      name: 'RetriableError',
      reason: 'network',
    });
  });
});
