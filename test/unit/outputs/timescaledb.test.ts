import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PermanentError, RetriableError } from '../../../src/core/errors.ts';
import { toFailure } from '../../../src/outputs/timescaledb/failures.ts';
import { insertAll } from '../../../src/outputs/timescaledb/insert.ts';
import { type Columns, type Row, toColumn, toRow } from '../../../src/outputs/timescaledb/row.ts';
import { MAX_PARAMETERS, parseTable, quote, toInsert } from '../../../src/outputs/timescaledb/statement.ts';
import { falcoAlert } from '../../support/services/alerts.ts';

const NONE: Columns = new Map();
const columns = (...names: string[]): Columns => new Map(names.map(name => [name, 'text']));
const serverError = (code: string) => Object.assign(new Error('secret value'), { code });

describe('a row', () => {
  test("has falcosidekick's columns, those of the alert alone", () => {
    const row = toRow(falcoAlert({ tags: ['a', 'b'] }), [], NONE);
    expect([...row]).toEqual([
      ['time', '2026-03-04T10:15:02.123456Z'],
      ['rule', 'Shell opened in container'],
      ['priority', 'Warning'],
      ['source', 'syscall'],
      ['output', '10:15:02.123456789: Warning A shell was opened (user=ada shell=zsh)'],
      ['tags', 'a,b'],
      ['hostname', 'node-1'],
    ]);
    const bare = toRow(falcoAlert({ tags: [], hostname: '', time: '2026-03-04T11:00:00.5+02:00' }), [], NONE);
    expect([...bare.keys()]).toEqual(['time', 'rule', 'priority', 'source', 'output']);
    expect(bare.get('time')).toBe('2026-03-04T11:00:00.5+02:00');
  });

  test('has the custom fields that the alert has, as text without quotes; NULL stands for NULL', () => {
    const alert = falcoAlert({}, { env: 'stage "x"', none: 'nuLL', empty: null, n: 12, map: { a: 1 } });
    const row = toRow(alert, ['env', 'none', 'empty', 'n', 'map', 'absent', 'toString'], NONE);
    expect([...row].slice(7)).toEqual([
      ['env', 'stage x'],
      ['none', null],
      ['empty', null],
      ['n', '12'],
      ['map', '{a:1}'],
    ]);
  });

  test('a column is meant in lower case, unless only the exact name is there', () => {
    expect(toColumn('Team', NONE)).toBe('team');
    expect(toColumn('Team', columns('team', 'Team'))).toBe('team');
    expect(toColumn('Team', columns('Team'))).toBe('Team');
    expect(toColumn('TÉam', NONE)).toBe('tÉam');
  });
});

describe('names', () => {
  test.each([
    ['events', ['events']],
    ['Falco.Events', ['falco', 'events']],
    ['"My.Table"', ['My.Table']],
    ['"a""b".C', ['a"b', 'c']],
    ['with-dash', ['with-dash']],
    ['', undefined],
    ['a.', undefined],
    ['a.b.c', undefined],
    ['a"b', undefined],
  ])('%s', (name, parts) => {
    expect(parseTable(name)).toEqual(parts);
  });

  test('no name ends its own quotes', () => {
    fc.assert(
      fc.property(fc.string(), name => {
        expect(quote(name).slice(1, -1).replaceAll('""', '')).not.toContain('"');
      }),
      { numRuns: 200 },
    );
  });
});

describe('a statement', () => {
  test('binds every value; what a row lacks is left to the table', () => {
    const rows: Row[] = [
      new Map([
        ['a', '1'],
        ['b', null],
      ]),
      new Map([
        ['a', `'); DROP`],
        ['c', '3'],
      ]),
    ];
    expect(toInsert(['s', 't'], rows, true)).toEqual({
      text: 'INSERT INTO "s"."t" ("a","b","c") VALUES ($1,$2,DEFAULT),($3,DEFAULT,$4) ON CONFLICT DO NOTHING',
      values: ['1', null, `'); DROP`, '3'],
    });
  });
});

describe('inserting', () => {
  const rowsOf = (count: number, size = 1): Row[] =>
    Array.from(
      { length: count },
      (_, index) => new Map(Array.from({ length: size }, (_, at) => [`c${at}`, `${index}`])),
    );
  const idOf = (row: Row) => Number(row.get('c0'));
  /** What became of each row, by its place. */
  const told = async (rows: Row[], insert: (rows: Row[]) => Promise<void>) => {
    const outcomes = new Map<number, RetriableError | PermanentError | undefined>();
    await insertAll(rows, insert, (index, failure) => {
      expect(outcomes.has(index)).toBe(false);
      outcomes.set(index, failure);
    });
    expect(outcomes.size).toBe(rows.length);
    return new Map([...outcomes].filter(([, failure]) => failure));
  };

  test('finds exactly the rows at fault, and stores each other one once', async () => {
    const scene = fc.record({ count: fc.integer({ min: 1, max: 60 }), bad: fc.uniqueArray(fc.nat(59)) });
    await fc.assert(
      fc.asyncProperty(scene, async ({ count, bad }) => {
        const stored: number[] = [];
        const failed = await told(rowsOf(count), async rows => {
          if (rows.some(row => bad.includes(idOf(row)))) throw serverError('23514');
          stored.push(...rows.map(idOf));
        });
        const atFault = bad.filter(index => index < count);
        expect([...failed.keys()].sort()).toEqual(atFault.sort());
        expect(stored.sort()).toEqual([...Array(count).keys()].filter(index => !bad.includes(index)).sort());
      }),
      { numRuns: 100 },
    );
  });

  test('stops at a failure that no row is to blame for, and keeps what is stored', async () => {
    const stored: number[] = [];
    const failed = await told(rowsOf(8), async rows => {
      if (rows.length === 8) throw serverError('22P02');
      if (stored.length > 0) throw Object.assign(new Error('gone'), { code: 'ECONNRESET' });
      stored.push(...rows.map(idOf));
    });
    expect(stored).toEqual([0, 1, 2, 3]);
    expect([...failed.keys()]).toEqual([4, 5, 6, 7]);
    for (const failure of failed.values()) expect(failure).toBeInstanceOf(RetriableError);
  });

  test('keeps below the number of parameters that a statement may have', async () => {
    const sizes: number[] = [];
    await told(rowsOf(500, 200), async rows => {
      sizes.push(rows.reduce((sum, row) => sum + row.size, 0));
    });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_PARAMETERS);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(100_000);
  });
});

describe('what the server says', () => {
  test.each([
    ['28P01', 'RetriableError', 'auth'],
    ['42501', 'RetriableError', 'auth'],
    ['42P01', 'RetriableError', 'client_error'],
    ['42703', 'RetriableError', 'client_error'],
    ['57014', 'RetriableError', 'timeout'],
    ['57P01', 'RetriableError', 'server_error'],
    ['40P01', 'RetriableError', 'server_error'],
    ['P0001', 'RetriableError', 'client_error'],
    ['22P02', 'PermanentError', 'payload'],
    ['23502', 'PermanentError', 'payload'],
    ['ECONNREFUSED', 'RetriableError', 'network'],
    ['EPIPE', 'RetriableError', 'network'],
  ])('%s', (code, name, reason) => {
    const failure = toFailure(serverError(code));
    expect(failure).toMatchObject({ name, reason });
    expect(failure.message).not.toContain('secret');
  });

  test('a broken CHECK is for good; a partition that is not there may still be made', () => {
    const check = Object.assign(serverError('23514'), { constraint: 'no_shells' });
    expect(toFailure(check)).toMatchObject({ name: 'PermanentError', reason: 'payload' });
    const partition = toFailure(serverError('23514'));
    expect(partition).toMatchObject({ name: 'RetriableError', reason: 'client_error' });
    expect(partition.message).toContain('partition');
  });
});
