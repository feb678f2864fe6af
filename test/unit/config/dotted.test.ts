import { describe, expect, test } from 'vitest';
import { load, problemsOf, warningsOf } from '../../support/config.ts';

const HOOK = 'https://hooks.example/services/token';
const strict = { strict: true };

describe('a key with dots', () => {
  test.each([
    ['at the top', `slack.webhookurl: ${HOOK}\nslack.Channel: "#soc"\nslack.delivery.retry.min: 2s`],
    ['beside its section', `slack.channel: "#soc"\nslack: { webhookurl: "${HOOK}", delivery.retry.min: 2s }`],
    [
      'before an empty section',
      `slack.webhookurl: ${HOOK}\nslack.channel: "#soc"\nslack.delivery: { retry.min: 2s }\nslack:`,
    ],
    [
      'in one of several',
      `slack: [{ name: a, webhookurl: "${HOOK}", channel: "#soc", delivery.retry.min: 2s }]`,
    ],
  ])('%s is that key of its section', (_, yaml) => {
    const { outputs, warnings } = load(yaml, strict);
    expect(outputs).toMatchObject([
      { config: { webhookurl: HOOK, channel: '#soc' }, delivery: { retry: { minMs: 2000 } } },
    ]);
    expect(warnings).toEqual([]);
  });

  test('works for settings and for sections with dots of their own', () => {
    const { server, spool, outputs } = load(
      'ingest.maxbody: 1KiB\nspool.driver: memory\ngcp.functions.name: f',
      strict,
    );
    expect([server.maxBodyBytes, spool.driver, outputs[0]?.config.name]).toEqual([1024, 'memory', 'f']);
    expect(load('gcp.functions: { name: f }', strict).outputs[0]?.config.name).toBe('f');
    expect(load('gcp: { functions.name: f }', strict).outputs[0]?.config.name).toBe('f');
  });

  test('within a map of names it is one of them', () => {
    const yaml = `customfields.k8s.cluster: a\ncustomfields: { b.c: d }\nslack: { webhookurl: "${HOOK}", customheaders.X-A.b: v }`;
    const { enrich, outputs } = load(yaml, strict);
    expect(enrich.customFields).toEqual({ 'b.c': 'd', 'k8s.cluster': 'a' });
    expect(outputs[0]!.connection.headers).toEqual({ 'x-a.b': 'v' });
  });

  test('is under the environment, and secret where the key is', () => {
    const config = load('slack.webhookurl: https://a.example/from-the-file', {
      env: { SLACK_WEBHOOKURL: HOOK },
    });
    expect(config.outputs[0]!.config.webhookurl).toBe(HOOK);
    expect(load(`slack.webhookurl: ${HOOK}`).secrets).toContain(HOOK);
  });
});

describe('a key with dots that leads nowhere', () => {
  test.each([
    ['slack.webhokurl: x', 'line 1: slack.webhokurl: unknown key; it is ignored (did you mean webhookurl?)'],
    ['slack.soc: { webhookurl: x }', 'line 1: slack.soc: unknown key; it is ignored'],
    ['slak.webhookurl: x', 'line 1: slak.webhookurl: unknown key; it is ignored'],
    [
      'slack.channel: a\nslack: { channel: b }',
      'line 1: slack.channel: this key is given twice, also on line 2',
    ],
    [
      'slack: []\nslack.channel: a',
      'line 2: slack: expected a map of settings that this key belongs to, found a list (line 1)',
    ],
    [
      'slack: text\nslack.channel: a',
      'line 2: slack: expected a map of settings that this key belongs to, found a text (line 1)',
    ],
  ])('%s is told', (yaml, problem) => {
    expect(problemsOf(yaml, strict)).toContainEqual(expect.stringContaining(problem));
  });

  test('has no effect here where falcosidekick has it', () => {
    expect(warningsOf('slack.icon: x\nslack.checkcert: true', strict).join()).toContain('slack.icon');
  });
});

test('what stands where there are only sections, or what nothing here reads, is told', () => {
  expect(problemsOf('gcp: text')).toEqual(['line 1: gcp: expected a map of settings, found a text']);
  expect(load('gcp:\nAWS: ""', strict).warnings).toEqual([]);
  const unread = 'line 2: yamdex.s3.minimumpriority: this key of falcosidekick has no effect here';
  expect(warningsOf('yamdex:\n  s3.minimumpriority: error', strict)).toEqual([unread]);
});
