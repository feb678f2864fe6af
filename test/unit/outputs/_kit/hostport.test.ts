import { expect, test } from 'vitest';
import { parseHostPort } from '../../../../src/outputs/_kit/hostport.ts';

test.each([
  ['mail.example:25', { host: 'mail.example', port: 25 }],
  ['[::1]:25', { host: '::1', port: 25 }],
  ['mail.example', { host: 'mail.example', port: 8125 }],
])('%s', (text, parsed) => expect(parseHostPort(text, 8125)).toEqual(parsed));

test.each(['', ':25', 'a:0', 'a:70000', '::1', 'a b:1', 'smtp://a:25', 'user@a:25'])('%j is none', text => {
  expect(() => parseHostPort(text, 25)).toThrow(/^expected host:port/);
});

test('without a default the port has to be there', () => {
  expect(() => parseHostPort('mail.example')).toThrow('expected host:port');
});
