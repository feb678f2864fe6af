/** The text formats of InfluxDB and Wavefront: nothing that an alert says may break out of its place. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HttpClient } from '../../../src/core/contract.ts';
import definition from '../../../src/outputs/influxdb/index.ts';
import { toLine } from '../../../src/outputs/influxdb/line.ts';
import { toPoint } from '../../../src/outputs/wavefront/point.ts';
import { alertOf } from '../../support/alerts.ts';
import { hostOf, openOutput } from '../../support/services/drive.ts';

const alert = (fields: object, output = 'text', rule = 'R') =>
  alertOf(
    JSON.stringify({
      rule,
      source: 'syscall',
      priority: 'Notice',
      time: '2026-01-31T12:00:00.5Z',
      output,
      output_fields: fields,
    }),
  );

/** Reads a line as InfluxDB does: a backslash takes the next character along (`pairs`), or only a special one. */
function readLine(line: string, pairs: boolean): { tags: string[]; field: string; rest: string } {
  let at = 0;
  const until = (ends: string) => {
    const start = at;
    while (at < line.length && !ends.includes(line[at]!)) {
      at += line[at] === '\\' && (pairs || ', ='.includes(line[at + 1] ?? '-')) ? 2 : 1;
    }
    return line.slice(start, at);
  };
  const tags: string[] = [];
  until(', ');
  while (line[at] === ',') {
    at++;
    const name = until('=, ');
    expect(line[at++]).toBe('=');
    const value = until('=, ');
    expect(value).not.toBe('');
    tags.push(`${name}=${value}`);
  }
  expect(line.slice(at, at + 8)).toBe(' value="');
  at += 8;
  const start = at;
  while (line[at] !== '"') at += line[at] === '\\' ? 2 : 1;
  return { tags, field: line.slice(start, at), rest: line.slice(at + 1) };
}

describe('InfluxDB', () => {
  test('escapes what means something in a line', () => {
    expect(toLine(alert({ 'a,b=c d': 'x,y=z "q"' }, 'say "no" \\ now', 'r, s'), 7n)).toBe(
      'events,rule=r\\,_s,priority=Notice,source=syscall,a\\,b\\=c\\ d=x\\,y\\=z_"q" value="say \\"no\\" \\\\ now" 7',
    );
  });

  const nasty = fc.array(fc.constantFrom('a', '\\', ',', '=', ' ', '"', '\n', '🦅'), { maxLength: 8 });
  const text = nasty.map(parts => parts.join(''));
  test('one alert is one point with all its tags, whatever it says', () => {
    fc.assert(
      fc.property(text, text, text, (name, value, output) => {
        const line = toLine(alert({ [name]: value, last: 'x' }, output), 1n);
        for (const pairs of [true, false]) {
          const { tags, field, rest } = readLine(line, pairs);
          expect(tags).toHaveLength(value === '' || name === 'last' ? 4 : 5);
          expect(field.replace(/\\(["\\])/g, '$1')).toBe(output);
          expect(rest).toBe(' 1');
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a point has as many tags as its key has room for, that of its field included', () => {
    const small = Array.from({ length: 9_000 }, (_, at): [string, string] => [`f${at}`, 'x']);
    const [key] = toLine(alert(Object.fromEntries(small))).split(' ');
    const size = Buffer.byteLength(key!) + 4 + 'value'.length;
    expect(size).toBeLessThanOrEqual(65_535);
    expect(size).toBeGreaterThan(65_520);
  });

  test('points that are written together, or again, have the times of their alerts, in the unit asked for', async () => {
    const timesOf = async (count: number, { timestamp = false, attempt = 1 } = {}) => {
      let body = '';
      const http: HttpClient = {
        send: async request => {
          body = String(request.body);
          return { status: 204, headers: {}, body: '' };
        },
      };
      const config = { hostport: 'http://influx.test', precision: 'ms', timestamp };
      const output = await openOutput(definition, config, { ...hostOf(), http });
      const alerts = Array.from({ length: count }, () => alert({}));
      await output.send(alerts, { signal: new AbortController().signal, attempt });
      return body.split('\n').map(line => line.split('text"')[1]);
    };
    expect(await timesOf(1)).toEqual(['']);
    expect(await timesOf(1, { timestamp: true })).toEqual([' 1769860800500']);
    expect(await timesOf(2)).toEqual([' 1769860800500', ' 1769860800500']);
    expect(await timesOf(1, { attempt: 2 })).toEqual([' 1769860800500']);
  });
});

describe('Wavefront', () => {
  test('quotes, line breaks and a backslash at the end stay inside', () => {
    expect(toPoint(alert({ 'a[b]': 'say "no"\nnow', c: 'C:\\' }), 'm')).toBe(
      '"m" 1 1769860800500000000 source="falco-exporter" "severity"="Notice" "rule"="R" "source"="syscall"' +
        ' "a-b-"="say \\"no\\"\\nnow" "c"="C:\\ "\n',
    );
  });

  test('names of tags are as the SDK for Go makes them, a dash for each other byte', () => {
    expect(toPoint(alert({ 'label[app.k8s.io/name]': 'web', 'ka.é,x_1': 'y' }), 'm')).toContain(
      ' "ka.--,x_1"="y" "label-app.k8s.io/name-"="web"',
    );
  });

  test('a point has no more and no longer tags than are taken', () => {
    const fields = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`f${index}`, 'x'.repeat(600)]),
    );
    const tags = [...toPoint(alert(fields), 'm').matchAll(/ "([^"]+)"="([^"]*)"/g)];
    expect(tags).toHaveLength(20);
    for (const [, name, value] of tags) expect(name!.length + value!.length).toBeLessThanOrEqual(254);
  });
});
