import { describe, expect, test } from 'vitest';
import { domainOf, parseMailboxes } from '../../../../src/outputs/smtp/addresses.ts';

describe('addresses', () => {
  test('a comma list, with and without names', () => {
    expect(
      parseMailboxes(
        'ops@example.test, sec@example.test,Duty Team <duty@example.test> , "Doe, \\"J\\"" <j@x.test>',
      ),
    ).toEqual([
      { name: '', address: 'ops@example.test' },
      { name: '', address: 'sec@example.test' },
      { name: 'Duty Team', address: 'duty@example.test' },
      { name: 'Doe, "J"', address: 'j@x.test' },
    ]);
  });

  test('local, internationalised and literal addresses', () => {
    const list = parseMailboxes('root,jürgen@bücher.example,ops@[192.0.2.1]');
    expect(list.map(({ address }) => address)).toEqual([
      'root',
      'jürgen@xn--bcher-kva.example',
      'ops@[192.0.2.1]',
    ]);
  });

  test.each([
    'a@x.test\r\nBcc: b@x.test',
    'a@x.test\nRCPT TO:<b@x.test>',
    'a b@x.test',
    'Name <>',
    'a@x.test> <b@x.test',
    'a@@x.test',
    'a@x.test\0',
  ])('%j is refused', text => {
    expect(() => parseMailboxes(text)).toThrow(/^expected addresses/);
  });

  test('nothing gives none', () => expect(parseMailboxes(' , ')).toEqual([]));

  test('the domain as a Message-ID can hold it', () => {
    const domain = (text: string) => domainOf(parseMailboxes(text)[0]!);
    expect(domain('Falco <falco@Bücher.example>')).toBe('xn--bcher-kva.example');
    expect(domain('root')).toBe('tiercel.invalid');
    expect(domain('ops@[192.0.2.1]')).toBe('tiercel.invalid');
  });
});
