/** What chat services refuse or hide, told apart by what each of them documents. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OutputDefinition } from '../../../src/core/contract.ts';
import { PermanentError, RetriableError } from '../../../src/core/errors.ts';
import cliq from '../../../src/outputs/cliq/index.ts';
import discord from '../../../src/outputs/discord/index.ts';
import googlechat from '../../../src/outputs/googlechat.ts';
import mattermost from '../../../src/outputs/mattermost.ts';
import rocketchat from '../../../src/outputs/rocketchat.ts';
import slack from '../../../src/outputs/slack.ts';
import teams from '../../../src/outputs/teams/index.ts';
import telegram from '../../../src/outputs/telegram/index.ts';
import webex from '../../../src/outputs/webex.ts';
import { alertOf } from '../../support/alerts.ts';
import { configOf, openAgainst } from '../../support/contract.ts';
import { closeClients, failureOf, patience } from '../../support/http-client.ts';
import { always, HttpSink } from '../../support/http-sink.ts';

let sink: HttpSink;
beforeEach(async () => {
  sink = await HttpSink.listen(always(200, '{}'));
});
afterEach(async () => {
  await closeClients();
  await sink.close();
});

const BASE = { rule: 'R', priority: 'Notice', time: '2026-01-31T12:00:00Z', output: 'text' };

async function sent(definition: unknown, alert: object, config: object = {}) {
  const known = definition as OutputDefinition;
  const options = { config: configOf(known, { ...known.example, ...config }) };
  const { output } = await openAgainst(known, sink, options);
  await output.send([alertOf(JSON.stringify({ ...BASE, ...alert }))], { signal: patience(), attempt: 1 });
  return sink.requests.at(-1)!.body;
}

async function failure(definition: unknown, body: string) {
  sink.reply = always(200, body);
  return failureOf(sent(definition, {}));
}

/** What may come in, each bigger than what any chat takes. */
const LARGE = {
  'a long text': { output: '😀"\\'.repeat(20_000) },
  'long fields': {
    output_fields: Object.fromEntries([...'abcdefgh'].map(name => [name, `${name}漢\u0001`.repeat(9_000)])),
  },
  'many fields': {
    output_fields: Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`field.${index}`, 'x_*'])),
  },
  'many fields of signs that JSON escapes': {
    output: '<&>'.repeat(20_000),
    output_fields: Object.fromEntries(
      Array.from({ length: 900 }, (_, index) => [`field.${index}`, '<\u0001'.repeat(700)]),
    ),
  },
  'everything at once': {
    rule: 'R*'.repeat(9_000),
    output: 'é'.repeat(50_000),
    source: 's'.repeat(9_000),
    hostname: '漢'.repeat(9_000),
    tags: Array.from({ length: 500 }, (_, index) => `tag-${index}`),
    output_fields: Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`${index}`.repeat(300), '"'.repeat(5_000)]),
    ),
  },
};

describe.each(Object.entries(LARGE))('%s', (_name, alert) => {
  test('fits into a Discord embed', async () => {
    const { embeds } = JSON.parse(await sent(discord, alert)) as {
      embeds: [{ description: string; fields: { name: string; value: string }[] }];
    };
    const [{ description, fields }] = embeds;
    expect(description.length).toBeLessThanOrEqual(4_096);
    expect(fields.length).toBeLessThanOrEqual(25);
    for (const { name, value } of fields) {
      expect(name.length).toBeLessThanOrEqual(256);
      expect(value.length).toBeLessThanOrEqual(1_024);
    }
    const all = description + fields.map(({ name, value }) => name + value).join('');
    expect(all.length).toBeLessThanOrEqual(6_000);
  });

  test('fits into a Telegram message', async () => {
    const { text } = JSON.parse(await sent(telegram, alert)) as { text: string };
    const plain = text.replace(/\\(.)|\*/g, '$1');
    expect(plain.length).toBeLessThanOrEqual(4_096);
    // Every sign is escaped or one of the message's own asterisks.
    expect(text.replace(/\\[\\_*[\]()~`>#+\-=|{}.!]/g, '')).not.toMatch(/[\\_[\]()~`>#+\-=|{}.!]/);
  });

  test.each([slack, mattermost, rocketchat])('fits into a message of $name', async chat => {
    const body = await sent(chat, alert);
    // As Go writes JSON, of which Mattermost counts the characters.
    const counted = [...body.replace(/[<>&\u2028\u2029]/g, '------')].length;
    expect(counted).toBeLessThan(760_000);
    for (const { value } of JSON.parse(body).attachments[0].fields) {
      expect(value.length).toBeLessThanOrEqual(4_096);
    }
  });

  test('fits into a Webex message', async () => {
    const { markdown } = JSON.parse(await sent(webex, alert)) as { markdown: string };
    expect(Buffer.byteLength(markdown)).toBeLessThanOrEqual(7_439);
  });

  test.each(['all', 'text'])('fits into a Google Chat message (%s)', async outputformat => {
    const body = await sent(googlechat, alert, { outputformat, messageformat: '{{ .Output }}' });
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(32_000);
    const { cards } = JSON.parse(body) as { cards?: [{ sections: [{ widgets: [] }] }] };
    expect(cards?.[0].sections[0].widgets.length ?? 0).toBeLessThanOrEqual(100);
  });

  test('fits into a Teams card', async () => {
    const adaptive = await sent(teams, alert, { card: 'adaptive' });
    expect(Buffer.byteLength(adaptive)).toBeLessThanOrEqual(28_000);
    expect(Buffer.byteLength(adaptive, 'utf16le')).toBeLessThanOrEqual(28_000);
    const connector = await sent(teams, alert, { card: 'message' });
    expect(Buffer.byteLength(connector)).toBeLessThanOrEqual(18_000);
  });

  test.each([
    ['Mattermost', mattermost, 16_383],
    ['Rocket.Chat', rocketchat, 5_000],
  ])('its headline fits into a %s message', async (_title, definition, most) => {
    const { text } = JSON.parse(await sent(definition, alert, { messageformat: '{{ .Output }}' })) as {
      text?: string;
    };
    expect(text!.length).toBeLessThanOrEqual(most);
  });
});

describe('Discord', () => {
  test('gets no empty value and no field without a name', async () => {
    const { embeds } = JSON.parse(
      await sent(discord, { source: ' ', output_fields: { '': 'x', a: '' } }),
    ) as {
      embeds: [{ fields: { name: string; value: string }[] }];
    };
    const fields = embeds[0].fields.map(({ name, value }) => [name, value]);
    expect(fields).toContainEqual(['(no name)', '```x```']);
    for (const [name, value] of fields) {
      expect(name!.trim()).not.toBe('');
      expect(value!.trim()).not.toBe('');
    }
    // In its fence, an empty field is a value, as falcosidekick sends it.
    expect(fields).toContainEqual(['a', '``````']);
    expect(fields.map(([name]) => name)).not.toContain('source');
  });

  test('a value cannot leave its block', async () => {
    const body = await sent(discord, { output_fields: { cmd: 'a```[link](https://evil.example)' } });
    const { embeds } = JSON.parse(body) as { embeds: [{ fields: { name: string; value: string }[] }] };
    const value = embeds[0].fields.find(({ name }) => name === 'cmd')!.value;
    expect(value.slice(3, -3)).not.toContain('```');
    expect(value.replaceAll('\u200b', '')).toBe('```a```[link](https://evil.example)```');
  });
});

describe('Telegram', () => {
  test('a backslash arrives as one', async () => {
    const { text } = JSON.parse(await sent(telegram, { output: 'C:\\tmp.exe' })) as { text: string };
    expect(text).toContain('**Output**: C:\\\\tmp\\.exe\n');
  });

  test('a refusal inside a 200 is one', async () => {
    const error = await failure(
      telegram,
      '{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}',
    );
    expect(error).toBeInstanceOf(PermanentError);
    expect(error!.message).toContain('chat not found');
  });

  test('it says in the body how long to wait', async () => {
    const error = await failure(
      telegram,
      '{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 5","parameters":{"retry_after":5}}',
    );
    expect(error).toBeInstanceOf(RetriableError);
    expect(error).toMatchObject({ reason: 'rate_limited', retryAfterMs: 5_000 });
  });

  test('an accepted message is accepted', async () => {
    expect(await failure(telegram, '{"ok":true,"result":{"text":"{\\"ok\\":false}"}}')).toBeUndefined();
  });
});

describe('Slack', () => {
  test('an alert without a text makes an attachment without one', async () => {
    const { attachments } = JSON.parse(await sent(slack, { output: '' })) as { attachments: [object] };
    expect(attachments[0]).not.toHaveProperty('text');
    expect(attachments[0]).toHaveProperty('fields');
  });

  test('an alert without a text shows its rule where nothing else is shown', async () => {
    for (const chat of [slack, mattermost]) {
      const body = await sent(chat, { output: '' }, { outputformat: 'text' });
      expect(JSON.parse(body).attachments[0]).toMatchObject({ text: 'R', fallback: 'R' });
    }
  });

  test('a refusal inside a 200 is one, for good or for now by its code', async () => {
    expect(await failure(slack, 'ok')).toBeUndefined();
    const refused = await failure(slack, '{"ok":false,"error":"channel_not_found"}');
    expect(refused).toBeInstanceOf(PermanentError);
    expect(refused!.message).toContain('channel_not_found');
    expect(await failure(slack, '{"ok":false,"error":"ratelimited"}')).toBeInstanceOf(RetriableError);
  });
});

test('Zoho Cliq says in a 400 that there were too many requests', async () => {
  const refused = async (body: string) => {
    sink.reply = always(400, body);
    return failureOf(sent(cliq, {}));
  };
  const error = await refused(
    '{"code":"request_limit_exceeded","message":"You have exceeded the URL throttle limits."}',
  );
  expect(error).toMatchObject({ name: 'RetriableError', reason: 'rate_limited' });
  expect(await refused('{"code":"inputs_invalid"}')).toBeInstanceOf(PermanentError);
});

describe('Rocket.Chat', () => {
  test('a refusal inside a 200 is one', async () => {
    const error = await failure(rocketchat, '{"success":false,"error":"invalid-channel"}');
    expect(error).toBeInstanceOf(PermanentError);
    expect(error!.message).toContain('invalid-channel');
  });

  test('text alone arrives without a template, too', async () => {
    const { text } = JSON.parse(await sent(rocketchat, {}, { outputformat: 'text' })) as { text: string };
    expect(text).toBe('text');
  });
});

describe('Teams', () => {
  const isAdaptive = async (webhookurl: string, card = 'auto') =>
    (await sent(teams, {}, { webhookurl, card })).includes('application/vnd.microsoft.card.adaptive');

  test.each([
    'https://prod-12.westeurope.logic.azure.com:443/workflows/0/triggers/manual/paths/invoke?sig=s',
    'https://default0.1.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/0?sig=s',
    'https://prod-1.usgovtexas.logic.azure.us/workflows/0',
    'https://x.powerautomate.com/workflows/0',
    'https://0.1.environment.api.high.powerplatform.microsoft.us/powerautomate/0',
    'https://0.1.environment.api.appsplatform.us/powerautomate/0',
    'https://0.1.environment.api.powerplatform.partner.microsoftonline.cn/powerautomate/0',
    'https://prod-1.chinaeast2.logic.azure.cn/workflows/0',
  ])('a workflow gets an Adaptive Card: %s', async address => {
    expect(await isAdaptive(address)).toBe(true);
    expect(await isAdaptive(address, 'message')).toBe(false);
  });

  test.each([
    'https://acme.webhook.office.com/webhookb2/0/IncomingWebhook/1/2',
    'https://outlook.office.com/webhook/0/IncomingWebhook/1/2',
    'https://proxy.example/logic.azure.com/workflows/0',
    'https://logic.azure.com.example/workflows/0',
    'https://xlogic.azure.com/workflows/0',
  ])('a connector gets the old card: %s', async address => {
    expect(await isAdaptive(address)).toBe(false);
    expect(await isAdaptive(address, 'adaptive')).toBe(true);
  });

  test.each([
    [429, RetriableError, 'rate_limited'],
    [503, RetriableError, 'server_error'],
    [413, PermanentError, 'client_error'],
  ])('a connector hides a %i in a 200', async (status, kind, reason) => {
    const error = await failure(
      teams,
      `Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error ${status} with ContextId tcid=1`,
    );
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ reason });
  });
});

test('the words of a refusal do not take the place of its status', async () => {
  const refused = async (chat: { name: string }, body: string) => {
    sink.reply = always(503, body);
    return failureOf(sent(chat, {}));
  };
  for (const error of [
    await refused(teams, 'Microsoft Teams endpoint returned HTTP error 413'),
    await refused(slack, '{"ok":false,"error":"channel_not_found"}'),
    await refused(rocketchat, '{"success":false}'),
    await refused(telegram, '{"ok":false,"error_code":400}'),
  ]) {
    expect(error).toMatchObject({ name: 'RetriableError', reason: 'server_error' });
  }
});

test('a broken message template is told of before the start', () => {
  const definition = mattermost as unknown as OutputDefinition;
  const config = configOf(definition, { ...definition.example, messageformat: '{{ .Rule' });
  expect(definition.check!(config)).toMatchObject([{ path: 'messageformat' }]);
});
