import { describe, expect, it } from 'vitest';
import { type Alert, sealAlert } from '../../src/core/alert/alert.ts';
import type { EnrichConfig } from '../../src/core/config/types.ts';
import { cutBytes } from '../../src/core/enrich/cut.ts';
import { createEnricher } from '../../src/core/enrich.ts';
import { draftOf, NO_ENRICHMENT } from '../support/drafts.ts';
import { recordingLogger } from '../support/logger.ts';

function enriched(
  config: Partial<EnrichConfig>,
  parts: Record<string, unknown> = {},
  fieldsText?: string,
): Alert {
  const draft = draftOf(parts, fieldsText);
  createEnricher(
    { ...NO_ENRICHMENT, ...config },
    { log: recordingLogger(), clock: { monotonic: () => 0 } },
  )(draft);
  return sealAlert(draft);
}

describe('without configuration', () => {
  it('leaves the fields as they came', () => {
    const fields = '{ "evt.time" : 1743606903434319636, "a[1]":12.50 }';
    expect(enriched({}, {}, fields).json).toContain(`"output_fields":${fields}`);
  });

  it.each([
    ['', 'R', 'syscalls'],
    ['syscall', 'R', 'syscall'],
    ['debug', 'Test rule', 'internal'],
    ['', 'Test rule', 'internal'],
  ])('makes of source %j of rule %s the source %s (F50)', (source, rule, expected) => {
    expect(enriched({}, { source, rule }).source).toBe(expected);
  });

  it('sorts tags by their bytes and keeps doubles', () => {
    const tags = ['b', '🚀', 'A', '\uff5e', 'a', 'b', 'ä'];
    const inBytes = [...tags].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
    expect(enriched({}, { tags }).tags).toEqual(inBytes);
  });
});

describe('custom fields and tags', () => {
  it('overwrite fields and join the tags', () => {
    const alert = enriched(
      { customFields: { env: 'prod', 'dc.name': 'eu <1>' }, customTags: ['zulu', 'alpha'] },
      { tags: ['m'] },
      '{"env":5,"n":1743606903434319636}',
    );
    expect(JSON.stringify(alert.outputFields)).toBe(
      '{"n":1743606903434319636,"env":"prod","dc.name":"eu <1>"}',
    );
    expect(alert.tags).toEqual(['alpha', 'm', 'zulu']);
  });

  it('does not gather tags over alerts', () => {
    const enrich = createEnricher(
      { ...NO_ENRICHMENT, customTags: ['x'] },
      { log: recordingLogger(), clock: { monotonic: () => 0 } },
    );
    const drafts = [draftOf(), draftOf()];
    for (const draft of drafts) enrich(draft);
    expect(drafts.map(draft => draft.tags)).toEqual([['x'], ['x']]);
  });
});

describe('templated fields', () => {
  it('see the fields, the custom ones among them, and each other in the order of the configuration', () => {
    const alert = enriched(
      {
        customFields: { env: 'prod' },
        templatedFields: {
          first: '{{ index . "user.name" }}@{{ .env }}',
          second: '<{{ .first }}>',
          missing: '{{ index . "no.such" }}',
        },
      },
      {},
      '{"user.name":"root"}',
    );
    expect(alert.outputFields).toMatchObject({
      first: 'root@prod',
      second: '<root@prod>',
      missing: '<no value>',
    });
  });

  it('never lose an alert: a template that fails ends its field there, is counted and told once a minute', () => {
    const log = recordingLogger();
    const failed: string[] = [];
    const now = { ms: 0 };
    const enrich = createEnricher(
      { ...NO_ENRICHMENT, templatedFields: { bad: 'pre {{ slice .a 5 9 }} post', good: 'x' } },
      { log, clock: { monotonic: () => now.ms }, templateFailed: field => failed.push(field) },
    );
    const run = () => {
      const draft = draftOf({}, '{"a":"b"}');
      enrich(draft);
      return sealAlert(draft).outputFields;
    };
    expect(run()).toEqual({ a: 'b', bad: 'pre ', good: 'x' });
    run();
    run();
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { field: 'bad', rule: 'R' } }]);
    now.ms = 60_000;
    run();
    expect(log.lines[1]).toMatchObject({ fields: { suppressed: 2 } });
    expect(failed).toEqual(['bad', 'bad', 'bad', 'bad']);
  });
});

describe('the bracket replacer', () => {
  it('renames fields with brackets only', () => {
    const alert = enriched(
      { bracketReplacer: '_' },
      {},
      '{"k8s.pod.label[app]":"cart","proc.aname[2]":1.50,"x]":1}',
    );
    expect(JSON.stringify(alert.outputFields)).toBe(
      '{"k8s.pod.label_app":"cart","proc.aname_2":1.50,"x]":1}',
    );
  });

  it('takes its text literally and overwrites no other field (F18)', () => {
    expect(enriched({ bracketReplacer: '$&' }, {}, '{"a[1]":1}').outputFields).toEqual({ 'a$&1': 1 });
    expect(enriched({ bracketReplacer: '_' }, {}, '{"a[1]":1,"a_1":2}').outputFields).toEqual({
      'a[1]': 1,
      a_1: 2,
    });
  });

  it('works on templated fields, which the output format then finds', () => {
    const alert = enriched(
      { bracketReplacer: '.', templatedFields: { 'a[0]': 'v' }, outputFieldFormat: '<templated_fields>' },
      { output: '12:00:00.1: Notice text' },
    );
    expect(alert.outputFields).toEqual({ 'a.0': 'v' });
    expect(alert.output).toBe('a[0]=v');
  });
});

describe('the output field format', () => {
  const OUTPUT = '08:14:02.104400871: notice Shell in  pod (user=root)';
  const format = (
    outputFieldFormat: string,
    config: Partial<EnrichConfig> = {},
    parts: Record<string, unknown> = {},
  ) => enriched({ outputFieldFormat, ...config }, { output: OUTPUT, tags: ['t2', 't1'], ...parts }).output;

  it('fills in every placeholder', () => {
    const both = { customFields: { team: 'blue', dc: 'eu' }, templatedFields: { pn: '{{ index . "x" }}' } };
    expect(
      format('<timestamp>|<priority>|<output>|<custom_fields>|<templated_fields>|<tags>|<tags>', both),
    ).toBe('08:14:02.104400871|Notice|Shell in  pod (user=root)|team=blue dc=eu|pn=<no value>|t1,t2|t1,t2');
  });

  it.each([
    ['<output> (<custom_fields> <templated_fields>)', 'Shell in  pod (user=root)'],
    ['<output> (<custom_fields>)', 'Shell in  pod (user=root)'],
    ['<output> ()  ', 'Shell in  pod (user=root) ()'],
    ['<output> (<tags>)', 'Shell in  pod (user=root) (t1,t2)'],
  ])('trims what empty lists leave of %j', (given, output) => {
    expect(format(given)).toBe(output);
  });

  it('writes the priority of the alert, not that of the text', () => {
    expect(format('<priority>', {}, { priority: 'critical' })).toBe('Critical');
  });

  it('leaves a text with a placeholder in it alone', () => {
    expect(format('<output>', {}, { output: '1.1: Error x <tags> $&' })).toBe('x <tags> $&');
  });

  it.each(['A trial event', '', 'Notice 12:00:00.1', '12:00:00: Notice no fraction', '12.1: Loud text'])(
    'does not touch %j',
    output => {
      expect(format('[<output>]', {}, { output })).toBe(output);
    },
  );
});

describe('long fields', () => {
  const long = 'x'.repeat(600);
  const parts = { output: `before ${long} after` };
  const fieldsText = JSON.stringify({ long, exact: 'y'.repeat(512), list: [long], pad: 'z'.repeat(4000) });

  it('stay whole by default (F22)', () => {
    expect(enriched({}, parts, fieldsText).outputFields.long).toBe(long);
  });

  it('are cut to 512 bytes in long alerts when asked for, inside the output too', () => {
    const alert = enriched({ longFields: 'cut' }, parts, fieldsText);
    const short = `${'x'.repeat(507)}[...]`;
    expect(alert.outputFields).toEqual({
      long: short,
      exact: 'y'.repeat(512),
      list: [long],
      pad: `${'z'.repeat(507)}[...]`,
    });
    expect(alert.output).toBe(`before ${short} after`);
  });

  it('stay whole in alerts that are not long, and a long output alone is not cut', () => {
    expect(enriched({ longFields: 'cut' }, parts, JSON.stringify({ long })).outputFields.long).toBe(long);
    const output = 'w'.repeat(9000);
    expect(enriched({ longFields: 'cut' }, { output }, '{"a":"b"}').output).toBe(output);
  });

  it('are cut on whole characters (F22)', () => {
    const alert = enriched(
      { longFields: 'cut' },
      {},
      JSON.stringify({ a: `${'x'.repeat(505)}${'日'.repeat(2000)}` }),
    );
    expect(alert.outputFields.a).toBe(`${'x'.repeat(505)}[...]`);
  });
});

it.each([
  ['aé', 3, 'aé'],
  ['aé', 2, 'a'],
  ['日本', 5, '日'],
  ['🚀🚀', 7, '🚀'],
  ['abc', 0, ''],
])('cuts %j to %i bytes', (text, bytes, cut) => {
  expect(cutBytes(text, bytes)).toBe(cut);
});
