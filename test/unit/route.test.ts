import { describe, expect, it } from 'vitest';
import { sealAlert } from '../../src/core/alert/alert.ts';
import { compileFilter, type Match, parseMatch } from '../../src/core/route.ts';
import { draftOf } from '../support/drafts.ts';

const FIELDS = JSON.stringify({
  'k8s.ns.name': 'payments',
  'k8s.pod.name': 'api-7d9',
  'proc.cmdline': 'cat /etc/shadow',
  'fd.rport': 443,
  'proc.tty': null,
  'container.privileged': true,
  images: ['nginx:1', 'busybox:2', 3, null],
  nested: { k: 'v' },
  empty: '',
}).replace('443', '443,"evt.time":1743606903434319636,"evt.res":12.50');

const ALERT = sealAlert(
  draftOf(
    {
      rule: 'Terminal shell in container',
      priority: 'Warning',
      tags: ['T1059', 'shell'],
      hostname: 'node-1',
    },
    FIELDS,
  ),
);

function takes(match: unknown, alert = ALERT): boolean {
  const { matches, problems } = parseMatch(match);
  expect(problems).toEqual([]);
  return compileFilter({ minimumPriority: '', match: matches })(alert);
}

describe('the minimum priority', () => {
  const filter = (minimumPriority: 'Warning' | 'Error' | '', parts = {}) =>
    compileFilter({ minimumPriority, match: [] })(sealAlert(draftOf({ priority: 'Warning', ...parts })));

  it('lets equal and higher ones through', () => {
    expect([filter('Warning'), filter('Error'), filter('')]).toEqual([true, false, true]);
  });

  it('lets the test alert through, which matchers still may refuse', () => {
    const rule = 'Test rule';
    expect(filter('Error', { rule })).toBe(true);
    const match = [{ namespace: 'x' }];
    expect(compileFilter({ minimumPriority: 'Error', match })(sealAlert(draftOf({ rule })))).toBe(false);
  });

  it('holds for the test alert where the output wants it so', () => {
    const alert = sealAlert(draftOf({ rule: 'Test rule', priority: 'Debug' }));
    const taken = (minimumPriority: 'Error' | 'Debug') =>
      compileFilter({ minimumPriority, match: [], filtersTestRule: true })(alert);
    expect([taken('Error'), taken('Debug')]).toEqual([false, true]);
  });
});

describe('matchers', () => {
  it('take everything when there are none', () => {
    expect([undefined, null, '', []].map(match => takes(match))).toEqual([true, true, true, true]);
  });

  it('need one of the list, and all conditions of it', () => {
    expect(takes([{ rule: 'other' }, { namespace: 'payments', pod: 'api-*' }])).toBe(true);
    expect(takes([{ rule: 'other' }, { namespace: 'payments', pod: 'web-*' }])).toBe(false);
    expect(takes({ namespace: 'payments' })).toBe(true);
  });

  it('need the minimum priority besides', () => {
    expect(compileFilter({ minimumPriority: 'Error', match: [{ namespace: 'payments' }] })(ALERT)).toBe(
      false,
    );
  });
});

describe('conditions', () => {
  it.each<[Match, boolean]>([
    [{ rule: 'Terminal shell in container' }, true],
    [{ rule: 'terminal shell in container' }, false],
    [{ Rule: 'Terminal*' }, true],
    [{ rule: '*shell*' }, true],
    [{ rule: '*container' }, true],
    [{ rule: 'Terminal*in*er' }, true],
    [{ rule: 'Terminal*in*ers' }, false],
    [{ rule: 'Terminal s?ell in container' }, true],
    [{ rule: 'Terminal*container*container' }, false],
    [{ rule: ['Netcat*', 'Terminal*'] }, true],
    [{ rule: { exact: 'Terminal*' } }, false],
    [{ rule: { in: ['Terminal*', 'x'] } }, false],
    [{ rule: { in: ['x', 'Terminal shell in container'] } }, true],
    [{ rule: { glob: 'Terminal*' } }, true],
    [{ rule: { regex: 'shell|netcat' } }, true],
    [{ rule: { regex: '^shell' } }, false],
    [{ rule: { regex: '(?i)SHELL', not: { regex: 'netcat' } } }, true],
    [{ rule: { not: ['x', 'Terminal*'] } }, false],
    [{ source: 'syscall' }, true],
    [{ hostname: 'node-?' }, true],
    [{ output: { exists: true } }, true],
    [{ uuid: ALERT.uuid }, true],
    [{ tags: 'shell' }, true],
    [{ tags: ['x', 'T10*'] }, true],
    [{ tags: { not: 'shell' } }, false],
    [{ tags: 'network' }, false],
    [{ 'fd.rport': 443 }, true],
    [{ 'fd.rport': '443' }, true],
    [{ 'fd.rport': 4430 }, false],
    [{ 'container.privileged': true }, true],
    [{ 'container.privileged': 'true' }, true],
    [{ 'evt.time': '1743606903434319636' }, true],
    [{ 'evt.time': '1743606903434319600' }, false],
    [{ 'evt.res': '12.50' }, true],
    [{ images: 'busybox*' }, true],
    [{ images: '3' }, true],
    [{ images: 'alpine' }, false],
    [{ nested: '{"k":"v"}' }, true],
    [{ 'proc.tty': '' }, false],
    [{ 'proc.tty': { exists: false } }, true],
    [{ 'proc.tty': { not: 'pts' } }, true],
    [{ empty: '' }, true],
    [{ empty: { exists: true } }, true],
    [{ 'Proc.cmdline': 'cat*' }, false],
    [{ 'no.such': '*' }, false],
    [{ 'no.such': { exists: false } }, true],
    [{ constructor: { exists: true } }, false],
    [{ priority: 'WARNING' }, true],
    [{ priority: 'warn' }, true],
    [{ priority: '>=notice' }, true],
    [{ priority: '>= Error' }, false],
    [{ priority: '<=warning' }, true],
    [{ priority: '<warning' }, false],
    [{ priority: '>notice' }, true],
    [{ priority: ['debug', 'warning'] }, true],
    [{ priority: { not: 'warning' } }, false],
    [{ priority: { in: ['debug', 'crit'] } }, false],
    [{ priority: ['<=info', '>=error'] }, false],
  ])('%j', (matcher, expected) => {
    expect(takes([matcher])).toBe(expected);
  });

  it('take a ? for one character, however many units it has', () => {
    const alert = sealAlert(draftOf({}, '{"a":"x🚀\\ny"}'));
    expect([takes({ a: 'x?\ny' }, alert), takes({ a: 'x??y' }, alert), takes({ a: 'x?y' }, alert)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('take signs of regular expressions in a glob literally', () => {
    const alert = sealAlert(draftOf({}, '{"a":"(a+).[b]$^|\\\\d"}'));
    expect(takes({ a: '(a+)?[b]$^|\\d' }, alert)).toBe(true);
    expect(takes({ a: '(a+)*$^|\\d' }, alert)).toBe(true);
  });

  it('need time in proportion to the text, whatever the expression', () => {
    const alert = sealAlert(draftOf({}, JSON.stringify({ a: `${'a'.repeat(50_000)}!` })));
    expect(takes({ a: { regex: '^(a+)+$' } }, alert)).toBe(false);
    expect(takes({ a: `${'a*'.repeat(40)}b` }, alert)).toBe(false);
  });
});

describe('parseMatch', () => {
  it.each<[unknown, string, string]>([
    ['payments', 'match', 'map of conditions'],
    [[{ rule: 'x' }, 'y'], 'match[1]', 'map of conditions'],
    [[{}], 'match[0]', 'every alert'],
    [{ rule: null }, 'match.rule', 'found nothing'],
    [{ rule: {} }, 'match.rule', 'no operator'],
    [{ rule: [] }, 'match.rule', 'never holds'],
    [{ rule: [['a']] }, 'match.rule[0]', 'found a list'],
    [{ rule: { equals: 'x' } }, 'match.rule.equals', 'no operator'],
    [{ rule: { regex: '(' } }, 'match.rule.regex', 'regular expression'],
    [{ rule: { regex: 'a(?=b)' } }, 'match.rule.regex', 'regular expression'],
    [{ rule: { regex: 5 } }, 'match.rule.regex', 'found a number'],
    [{ rule: { glob: [] } }, 'match.rule.glob', 'found a list'],
    [{ rule: { in: 'x' } }, 'match.rule.in', 'a list'],
    [{ rule: { in: [{}] } }, 'match.rule.in[0]', 'found a map'],
    [{ rule: { exists: 'yes' } }, 'match.rule.exists', 'true or false'],
    [{ rule: { not: { regex: '[' } } }, 'match.rule.not.regex', 'regular expression'],
    [{ priority: 'severe' }, 'match.priority', 'expected a priority'],
    [{ priority: '>=4' }, 'match.priority', 'expected a priority'],
    [{ priority: { regex: 'w' } }, 'match.priority.regex', 'no operator'],
    [{ priority: { in: ['error', 'loud'] } }, 'match.priority.in[1]', 'expected a priority'],
    [{ 'evt.time': 2 ** 60 }, 'match.evt.time', 'too large'],
  ])('finds what is wrong with %j', (value, path, message) => {
    const { problems } = parseMatch(value);
    expect(problems).toHaveLength(1);
    expect(problems[0]!.path).toBe(path);
    expect(problems[0]!.message).toContain(message);
  });

  it('tells all problems at once, with a hint', () => {
    const { problems } = parseMatch([{ priority: 'severe', rule: { is: 1 } }, 5]);
    expect(problems.map(({ path }) => path)).toEqual(['match[0].priority', 'match[0].rule.is', 'match[1]']);
    expect(problems[1]!.hint).toContain('regex');
  });

  it('makes no filter of what it refuses', () => {
    expect(() => compileFilter({ minimumPriority: '', match: [{ rule: { regex: '(' } }] })).toThrow(
      RangeError,
    );
  });
});
