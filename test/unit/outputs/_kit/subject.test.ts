import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PRIORITIES } from '../../../../src/core/alert/priority.ts';
import { DEFAULT_SUBJECT, subjectProblem, toSubject, toToken } from '../../../../src/outputs/_kit/subject.ts';

describe('toToken', () => {
  test.each([
    ['Shell attached to workload', 'shell_attached_to_workload'],
    ['Key file read: /srv/keys & co. (v2)', 'key_file_read_srv_keys_co_v2'],
    ['..a.*.>b..', 'a_b'],
    ['___', '_'],
    ['规则', '_'],
  ])('%s', (rule, token) => expect(toToken(rule)).toBe(token));
});

describe('toSubject', () => {
  test('fills every priority and rule and leaves other tokens as they are', () => {
    const alert = { priority: 'Critical', rule: 'Key $& read' } as const;
    expect(toSubject('sec.<rule>.x.<priority>.<source>.<rule>', alert)).toBe(
      'sec.key_read.x.critical.<source>.key_read',
    );
  });

  test('whatever the rule is called, the subject is one that a server takes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 3000 }),
        fc.constantFrom(...PRIORITIES),
        (rule, priority) => {
          const subject = toSubject(DEFAULT_SUBJECT, { rule, priority });
          expect(subject).toMatch(/^falco\.[a-z]+\.[a-z0-9_]+$/);
          expect(subject.length).toBeLessThan(1024);
        },
      ),
    );
  });
});

describe('subjectProblem', () => {
  test.each([DEFAULT_SUBJECT, 'fixed', 'sec.<rule>.x.<priority>.<source>', '<rule>'])('takes %s', template =>
    expect(subjectProblem(template)).toBeUndefined(),
  );

  test.each([
    '',
    'a..b',
    '.a',
    'a.',
    'falco alerts',
    'a.>',
    'a.*.b',
    'a.b\r\nPUB x',
    'x'.repeat(2000),
    '<rule>'.repeat(9),
  ])('refuses %j', template => expect(subjectProblem(template)).toBeTypeOf('string'));
});
