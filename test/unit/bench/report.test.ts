import { describe, expect, test } from 'vitest';
import { align, type RunFigures, renderTable, summarize } from '../../../bench/report.ts';

const SCENARIO = { name: 'S1', title: 'ingest' };

const run = (figures: Record<string, number>, notes: string[] = []): RunFigures => ({
  figures: new Map(Object.entries(figures)),
  notes,
});

describe('runs put together', () => {
  test('medians and spreads of both, and the ratio of the medians', () => {
    const ours = [run({ cpu: 30, lost: 0 }), run({ cpu: 20, lost: 0 }), run({ cpu: 100, lost: 0 })];
    const theirs = [run({ cpu: 100, lost: 0 }), run({ cpu: 140, lost: 0 })];
    const report = summarize(SCENARIO, ours, theirs);
    expect(report.figures.cpu).toEqual({ median: 30, min: 20, max: 100, values: [30, 20, 100] });
    expect(report.other?.cpu).toEqual({ median: 120, min: 100, max: 140, values: [100, 140] });
    // Nothing by nothing is no ratio.
    expect(report.ratios).toEqual({ cpu: 0.25 });
  });

  test('what one run lacks is taken from the others, and what is no number is left out', () => {
    const report = summarize(SCENARIO, [run({ cpu: 1 }), run({ cpu: 3, p99: Number.NaN })], undefined);
    expect(report.figures).toEqual({ cpu: { median: 2, min: 1, max: 3, values: [1, 3] } });
    expect(report).not.toHaveProperty('ratios');
  });

  test('a note is kept once', () => {
    const report = summarize(SCENARIO, [run({}, ['odd']), run({}, ['odd', 'odder'])], [run({}, ['odd'])]);
    expect(report.notes).toEqual(['odd', 'odder']);
  });
});

describe('table', () => {
  test('one run: a figure and its value', () => {
    const report = summarize(SCENARIO, [run({ cpu: 24.04, delivered: 1500 }, ['odd'])], undefined);
    expect(renderTable(report, { ours: 'tiercel' })).toEqual([
      'S1: ingest',
      '             tiercel',
      '  cpu             24',
      '  delivered     1500',
      '  note: odd',
    ]);
  });

  test('two daemons: both with their spread, and the ratio; what only one has is shown without', () => {
    const report = summarize(
      SCENARIO,
      [run({ cpu: 20, own: 1 }), run({ cpu: 22, own: 1 })],
      [run({ cpu: 80 }), run({ cpu: 88 })],
    );
    expect(renderTable(report, { ours: 'tiercel', theirs: 'other' }).slice(1)).toEqual([
      '       tiercel  min..max  other  min..max  ratio',
      '  cpu       21    20..22     84    80..88   0.25',
      '  own        1      1..1      -',
    ]);
  });

  test('an empty column takes no room', () => {
    expect(
      align([
        ['', 'a', 'b'],
        ['x', '', '10'],
        ['long', '', '5'],
      ]),
    ).toEqual(['       b', 'x     10', 'long   5']);
  });
});
