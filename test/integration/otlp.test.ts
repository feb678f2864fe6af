import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Count, OutputDefinition } from '../../src/core/contract.ts';
import logs from '../../src/outputs/otlp-logs/index.ts';
import metrics from '../../src/outputs/otlp-metrics/index.ts';
import traces from '../../src/outputs/otlp-traces/index.ts';
import { closeClients } from '../support/http-client.ts';
import { EXACT_TIME, falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { failureOf, hostOf, openOutput, trySend } from '../support/services/drive.ts';
import { httpHostOf, readUntil } from '../support/services/http.ts';
import { describeWith } from '../support/services/need.ts';
import { type Attribute, type Collector, missingOtelcol, startOtelcol } from '../support/services/otelcol.ts';
import { freePort, scratch } from '../support/services/process.ts';
import { openTemplated } from '../support/services/template.ts';

const PROTOCOLS = ['http/protobuf', 'grpc'] as const;

const textOf = ({ value }: Attribute) =>
  value.stringValue ?? value.arrayValue?.values?.map(({ stringValue }) => stringValue) ?? [];
const plain = (attributes: Attribute[]) => Object.fromEntries(attributes.map(one => [one.key, textOf(one)]));

describeWith('otlp', missingOtelcol(), () => {
  const cleanup: (() => Promise<unknown>)[] = [];
  let collector: Collector;

  beforeAll(async () => {
    collector = await startOtelcol();
    cleanup.push(() => collector.stop());
  });
  afterAll(async () => {
    for (const clean of cleanup.reverse()) await clean();
    await closeClients();
  });

  async function open(definition: OutputDefinition, config: Record<string, unknown>, host = httpHostOf()) {
    const endpoint = config.protocol === 'grpc' ? collector.grpc : collector.http;
    const output = await openOutput(definition, { endpoint, ...config }, host);
    cleanup.push(() => output.close!());
    return output;
  }

  test("a request of the user's own is taken as JSON", async () => {
    const rule = 'own request';
    const attribute = '{"key":"rule","value":{"stringValue":{{ toJson .Rule }}}}';
    const body = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":9,"attributes":[${attribute}]}]}]}]}`;
    const config = { endpoint: collector.http, compression: 'gzip' };
    const output = await openTemplated(logs, config, body, httpHostOf());
    cleanup.push(() => output.close!());
    await trySend(output, [falcoAlert({ rule })]);
    const found = await readUntil(
      async () =>
        (await collector.received('logs', 1)).filter(({ item }) => plain(item.attributes).rule === rule),
      items => items.length >= 1,
    );
    expect(found[0]!.item).toMatchObject({ severityNumber: 9 });
  });

  describe.each(PROTOCOLS)('over %s', protocol => {
    test('alerts are spans', async () => {
      const rule = `span over ${protocol}`;
      const alerts = falcoAlerts(3, { rule });
      const output = await open(traces, { protocol, duration: 5 });
      await output.probe!(AbortSignal.timeout(10_000));
      await trySend(output, alerts);
      const found = await readUntil(
        async () => (await collector.received('traces', 1)).filter(({ item }) => item.name === rule),
        items => items.length >= 3,
      );
      expect(found).toHaveLength(3);
      expect(new Set(found.map(({ item }) => item.traceId)).size).toBe(1);
      expect(new Set(found.map(({ item }) => item.spanId)).size).toBe(3);
      expect(plain(found[0]!.resource)).toEqual({ 'service.name': 'falco', 'service.version': 'v0.1.0' });
      expect(found[0]!.scope).toBe('falco-event');
      expect(found[0]!.item).toMatchObject({
        kind: 2,
        flags: 257,
        startTimeUnixNano: '1772619302123456789',
        endTimeUnixNano: '1772619302128456789',
        events: [{ timeUnixNano: '1772619302123456789', name: 'alert 0' }],
      });
      expect(plain(found[0]!.item.attributes)).toMatchObject({
        uuid: alerts[0]!.uuid,
        tags: ['shell'],
        'evt.time': EXACT_TIME,
        'k8s.ns.name': '7',
        'proc.tty': '<nil>',
      });
    });

    test('alerts are log records, compressed as well', async () => {
      const rule = `log over ${protocol}`;
      const output = '“quoted” 日本語 \\ \n\u0000😀';
      for (const compression of ['none', 'gzip']) {
        const opened = await open(logs, { protocol, compression, severity: 'priority', outputfields: true });
        await trySend(opened, [falcoAlert({ rule, output }), ...falcoAlerts(400, { rule })]);
      }
      const found = await readUntil(
        async () =>
          (await collector.received('logs', 1)).filter(({ item }) => plain(item.attributes).rule === rule),
        items => items.length >= 802,
      );
      expect(found).toHaveLength(802);
      expect(found[0]!.item).toMatchObject({
        timeUnixNano: '1772619302123456789',
        severityNumber: 13,
        severityText: 'WARN',
        body: { stringValue: output },
      });
      expect(plain(found[0]!.item.attributes)).toMatchObject({
        priority: 'Warning',
        'container.id': '7f3c2a',
      });
    });

    test('alerts are counted', async () => {
      const rule = `counted over ${protocol}`;
      const counts: Count[] = [
        { of: 'outputs', labels: { destination: `slack.${protocol}`, status: 'ok' }, value: 12 },
      ];
      const host = { ...httpHostOf(), counts: () => counts };
      const extraenvvars = { OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=blue%201' };
      const output = await open(metrics, { protocol, extraenvvars }, host);
      await trySend(output, falcoAlerts(5, { rule }));
      await trySend(output, falcoAlerts(2, { rule }));
      await output.close!();
      const points = async () =>
        (await collector.received('metrics', 1)).flatMap(({ item, resource }) => {
          const { dataPoints, ...sum } = item.sum as {
            dataPoints: { attributes: Attribute[]; asInt: string }[];
          };
          return dataPoints.map(({ attributes, asInt }) => ({
            name: item.name,
            resource: plain(resource),
            sum,
            labels: plain(attributes),
            value: Number(asInt),
          }));
        });
      const own = await readUntil(
        async () =>
          (await points()).filter(
            ({ labels }) => labels.rule === rule || labels.destination === `slack.${protocol}`,
          ),
        found => found.length >= 4,
      );
      // Those of the batches, then all at the end.
      expect(own.map(({ value }) => value)).toEqual([5, 7, 7, 12]);
      expect(own[0]).toMatchObject({
        name: 'falcosecurity_falco_rules_matches_total',
        resource: { 'service.name': 'falco', 'service.version': '0.1.0', 'service.instance.id': 'blue 1' },
        sum: { aggregationTemporality: 2, isMonotonic: true },
        labels: { hostname: 'node-1', priority: 'Warning', source: 'syscall', tags: ['shell'] },
      });
      expect(own[3]!.name).toBe('falcosecurity_falcosidekick_outputs');
    });

    test('a receiver that is away is worth another try', async () => {
      const output = await open(logs, { protocol, endpoint: `http://127.0.0.1:${await freePort()}` });
      const wanted = { name: 'RetriableError', reason: 'network' };
      expect(await failureOf(trySend(output, [falcoAlert()]))).toMatchObject(wanted);
      expect(await failureOf(output.probe!(AbortSignal.timeout(10_000)))).toMatchObject(wanted);
    });
  });

  test('a request that is too large for gRPC is told as such', async () => {
    const big = falcoAlert({ output: 'x'.repeat(5 * 1024 * 1024) });
    expect(await failureOf(trySend(await open(logs, { protocol: 'grpc' }), [big]))).toMatchObject({
      name: 'PermanentError',
      reason: 'payload',
    });
  });

  describe('with TLS', () => {
    let authority: Authority;
    let secure: Collector;

    beforeAll(async () => {
      const folder = await scratch('otlp-tls');
      cleanup.push(() => folder.remove());
      authority = await createAuthority(folder.path, 'own');
      secure = await startOtelcol(authority.server);
      cleanup.push(() => secure.stop());
    });

    test.each(PROTOCOLS)('its certificate has to be trusted, over %s', async protocol => {
      const send = async (trusted: boolean, tls = false) => {
        const address = protocol === 'grpc' ? secure.grpc : secure.http;
        const endpoint = tls ? address.replace('https:', 'http:') : address;
        const host = {
          ...httpHostOf({ caFiles: trusted ? [authority.caFile] : [] }),
          tls: hostOf(trusted ? { ca: [authority.ca] } : {}).tls,
        };
        return trySend(await open(logs, { protocol, endpoint, tls }, host), [falcoAlert()]);
      };
      await send(true);
      if (protocol === 'grpc') await send(true, true);
      // Over HTTP the endpoint decides, as in falcosidekick: this one asks for none.
      else expect(await failureOf(send(true, true))).toBeInstanceOf(Error);
      expect(await failureOf(send(false))).toMatchObject({ name: 'RetriableError', reason: 'network' });
      await secure.received('logs', protocol === 'grpc' ? 2 : 1);
    });
  });
});
