import { describe, expect, it } from 'vitest';
import { sealAlert } from '../../../src/core/alert/alert.ts';
import { MAX_ALERTS, normaliseTime, parseAlert, parseAlerts } from '../../../src/core/alert/parse.ts';

const GOOD = { rule: 'R', priority: 'Error', time: '2026-01-31T12:00:00.5Z' };
const text = (parts: Record<string, unknown> = {}) => JSON.stringify({ ...GOOD, ...parts });
const refusal = (body: string) => parseAlerts(body).map(parsed => parsed.refusal?.reason);

describe('a single alert', () => {
  it('takes rule, priority and time alone (F31)', () => {
    const { draft } = parseAlert(text());
    expect(draft).toMatchObject({ ...GOOD, output: '', source: '', tags: [], hostname: '' });
    expect(draft!.uuid).toMatch(/^[0-9a-f-]{36}$/);
    expect([...draft!.fields.entries()]).toEqual([]);
  });

  it('falls back on the message of newer Falcos when there is no output', () => {
    expect(parseAlert(text({ message: 'plain' })).draft!.output).toBe('plain');
    expect(parseAlert(text({ message: 'plain', output: 'full' })).draft!.output).toBe('full');
  });

  it('is one line, however it was sent', () => {
    const body = JSON.stringify(
      { ...GOOD, output_fields: { a: [1, 'two\n  three'] }, more: { b: 1 } },
      null,
      4,
    );
    const alert = sealAlert(parseAlert(body.replaceAll('\n', '\r\n')).draft!);
    expect(alert.json).not.toMatch(/[\r\n]/);
    expect(alert.outputFields).toEqual({ a: [1, 'two\n  three'] });
    expect(alert.extra).toEqual({ more: { b: 1 } });
  });

  it('takes keys in any case, the last of several', () => {
    const body =
      '{"RULE":"first","Priority":"eRRoR","Time":"2026-01-31T12:00:00Z","rule":"last","OUTPUT_FIELDS":{"A":"b"}}';
    const { draft } = parseAlert(body);
    expect(draft).toMatchObject({ rule: 'last', priority: 'Error' });
    expect(draft!.fields.get('A')).toBe('b');
  });

  it('keeps keys that it does not know', () => {
    const alert = sealAlert(parseAlert(text({ node: { zone: 'a' }, seq: 7 })).draft!);
    expect(alert.extra).toEqual({ node: { zone: 'a' }, seq: 7 });
    expect(JSON.parse(alert.json)).toMatchObject({ node: { zone: 'a' }, seq: 7 });
  });

  it.each([
    ['info', 'Informational'],
    ['WARNING', 'Warning'],
    ['crit', 'Critical'],
  ])('reads the priority %s (F49)', (given, priority) => {
    expect(parseAlert(text({ priority: given })).draft!.priority).toBe(priority);
  });

  it('keeps a given id and makes one for anything else', () => {
    const uuid = '11111111-2222-4333-8444-5555555555AA';
    expect(parseAlert(text({ uuid })).draft!.uuid).toBe(uuid.toLowerCase());
    expect(parseAlert(text({ uuid: 'mine' })).draft!.uuid).not.toBe('mine');
  });

  it('takes odd output fields as they are (F1)', () => {
    const fields = { 'k8s.pod.name': 5, 'proc.name': null, list: ['a', 1], map: { b: [] }, flag: true };
    expect(sealAlert(parseAlert(text({ output_fields: fields })).draft!).outputFields).toEqual(fields);
  });

  it.each([
    ['"\\ud83d\\ude00"', '"\\ud83d\\ude00"'],
    ['"\\uD83D\\uDE00 \\ud800"', '"\\uD83D\\uDE00 \\ufffd"'],
    ['"\\ud800\\ud800\\udc00\\udc00"', '"\\ufffd\\ud800\\udc00\\ufffd"'],
    ['"\\\\ud800"', '"\\\\ud800"'],
    ['"\\ud83dx\\ude00"', '"\\ufffdx\\ufffd"'],
    ['{"\\udfff":1}', '{"\\ufffd":1}'],
  ])('replaces halves of surrogate pairs: %s', (found, kept) => {
    const body = text({ output_fields: 'FIELDS', rule: 'R' }).replace('"FIELDS"', `{"a":${found}}`);
    expect(sealAlert(parseAlert(body).draft!).json).toContain(`"output_fields":{"a":${kept}}`);
  });

  it.each([
    ['rule', { rule: '' }, 'missing_field'],
    ['rule', { rule: 5 }, 'bad_field'],
    ['priority', { priority: 'Bogus' }, 'bad_field'],
    ['priority', { priority: 4 }, 'bad_field'],
    ['priority', { priority: null }, 'missing_field'],
    ['time', { time: 'yesterday' }, 'bad_field'],
    ['time', { time: 5 }, 'bad_field'],
    ['time', { time: undefined }, 'missing_field'],
    ['output_fields', { output_fields: [1] }, 'bad_field'],
    ['output_fields', { output_fields: 'a=b' }, 'bad_field'],
    ['tags', { tags: 'a,b' }, 'bad_field'],
    ['tags', { tags: [1] }, 'bad_field'],
    ['hostname', { hostname: {} }, 'bad_field'],
    ['source', { source: 1 }, 'bad_field'],
  ])('refuses a bad %s and names it: %j', (name, parts, reason) => {
    const parsed = parseAlert(text(parts));
    expect(parsed.refusal?.reason).toBe(reason);
    expect(parsed.refusal?.message).toContain(name);
  });

  it('refuses nesting that would overflow a stack', () => {
    const deep = `{"rule":"R","priority":"Error","time":"2026-01-31T12:00:00Z","output_fields":{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}}`;
    expect(refusal(deep)).toEqual(['too_deep']);
  });
});

describe('a body', () => {
  it('takes lists, lines and alerts one behind the other (F48)', () => {
    const rules = (body: string) => parseAlerts(body).map(parsed => parsed.draft?.rule);
    const [a, b] = [text({ rule: 'a' }), text({ rule: 'b' })];
    expect(rules(`[${a}, ${b}]`)).toEqual(['a', 'b']);
    expect(rules(`${a}\n${b}\n`)).toEqual(['a', 'b']);
    expect(rules(`${a}${b}`)).toEqual(['a', 'b']);
    expect(rules(`\ufeff ${a}`)).toEqual(['a']);
  });

  it('leaves no part out in silence', () => {
    expect(refusal(`${text()}\n{"broken":\n`)).toEqual([undefined, 'not_json']);
    expect(refusal(`${text()} trailing`)).toEqual([undefined, 'not_json']);
    expect(refusal(`[${text()}, 5, {"rule":"x"}]`)).toEqual([undefined, 'not_an_alert', 'missing_field']);
  });

  it('takes the lines behind one that was cut off, and says of each what became of it', () => {
    const rules = (body: string) =>
      parseAlerts(body).map(({ draft, refusal }) => draft?.rule ?? refusal!.reason);
    const [a, b, c] = [text({ rule: 'a' }), text({ rule: 'b' }), text({ rule: 'c' })];
    const cut = '{"rule":"x","output_fields":{"y":';
    expect(rules(`${a}\n${cut}\n${b}\n${c}\n`)).toEqual(['a', 'not_json', 'b', 'c']);
    expect(rules(`${cut}\r\n${b}\r\n${cut}\r\n${c}`)).toEqual(['not_json', 'b', 'not_json', 'c']);
    expect(rules(`${a}\n{"rule":"a quote " too many"}\n${b}`)).toEqual(['a', 'not_json', 'b']);
    expect(rules(`${cut}\n`.repeat(MAX_ALERTS + 1))).toEqual(['too_many']);
  });

  it('is read in a time that grows with its length alone, however many lines are cut off', () => {
    const cut = `{"rule":"${'x'.repeat(500)}\n`;
    const started = performance.now();
    expect(parseAlerts(cut.repeat(MAX_ALERTS))).toHaveLength(MAX_ALERTS);
    // Each line to the end of the body would take minutes.
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it.each([
    ['', 'empty'],
    [' \r\n', 'empty'],
    ['[]', 'empty'],
    ['null', 'not_an_alert'],
    ['5', 'not_an_alert'],
    ['{"rule":"x"', 'not_json'],
    ['[1,', 'not_json'],
  ])('refuses %j', (body, reason) => {
    expect(refusal(body)).toEqual([reason]);
  });

  it('says what to set when Falco sends plain text, once whatever the number of lines (F32)', () => {
    const parsed = parseAlerts('12:00:00.1: Error something\n12:00:00.2: Error something else\n');
    expect(parsed).toHaveLength(1);
    expect(parsed[0]!.refusal).toMatchObject({ reason: 'not_json' });
    expect(parsed[0]!.refusal!.message).toContain('json_output: true');
  });

  it('tells a body that was cut from one that is wrong', () => {
    const message = (body: string) => parseAlerts(body)[0]!.refusal!.message;
    expect(message('{"rule":"x')).toContain('ends too early');
    expect(message('{"rule": nope}')).toContain('unexpected character');
    expect(message('secret words')).not.toContain('secret');
  });

  it('refuses more alerts than it takes at once', () => {
    const line = `${text()}\n`;
    expect(refusal(line.repeat(MAX_ALERTS + 1))).toEqual(['too_many']);
    expect(refusal(`[${'1,'.repeat(MAX_ALERTS)}1]`)).toEqual(['too_many']);
    expect(parseAlerts(line.repeat(MAX_ALERTS))).toHaveLength(MAX_ALERTS);
  });
});

describe('normaliseTime', () => {
  it.each([
    ['2024-02-29T23:59:59.999999999Z', '2024-02-29T23:59:59.999999999Z'],
    ['2025-06-06T13:13:13.130Z', '2025-06-06T13:13:13.13Z'],
    ['2025-06-06T13:13:13,130Z', '2025-06-06T13:13:13.13Z'],
    ['2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00Z'],
    ['2024-01-01T00:00:00-03:30', '2024-01-01T00:00:00-03:30'],
    ['2024-01-01t00:00:00z', '2024-01-01T00:00:00Z'],
    ['2024-01-01T00:00:00+00:00', '2024-01-01T00:00:00Z'],
    ['2024-01-01T00:00:00.1234567891Z', '2024-01-01T00:00:00.123456789Z'],
  ])('reads %s', (given, time) => {
    expect(normaliseTime(given)).toBe(time);
  });

  it.each([
    '2024-01-01T00:00:00',
    '2024-02-30T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '2024-01-01T00:00:00+24:00',
    '2024-01-01',
    'now',
  ])('refuses %s', given => {
    expect(normaliseTime(given)).toBeUndefined();
  });
});
