import { describe, expect, test } from 'vitest';
import { authCommand, conversation, missingCredentials } from '../../../../src/outputs/smtp/sasl.ts';

const SERVER = { host: 'mail.example', port: 587 };
const NOBODY = { user: '', password: '', token: '', identity: '', trace: '' };

describe('sign-in', () => {
  test.each([
    ['plain', { user: 'ada', password: 'p w' }, '\0ada\0p w'],
    ['plain', { user: 'ada', password: 'pw', identity: 'bob' }, 'bob\0ada\0pw'],
    [
      'oauthbearer',
      { user: 'u,1=', token: 'tok' },
      'n,a=u=2C1=3D,\x01host=mail.example\x01port=587\x01auth=Bearer tok\x01\x01',
    ],
    ['oauthbearer', { token: 'tok' }, 'n,,\x01host=mail.example\x01port=587\x01auth=Bearer tok\x01\x01'],
    ['external', { identity: 'ada' }, 'ada'],
    ['anonymous', { trace: 'falco@node' }, 'falco@node'],
  ] as const)('%s with %j', (mechanism, given, said) => {
    const talk = conversation(mechanism, { ...NOBODY, ...given }, SERVER);
    expect(talk.initial).toBe(said);
    expect(authCommand(mechanism, talk)).toBe(
      `AUTH ${mechanism.toUpperCase()} ${Buffer.from(said).toString('base64')}`,
    );
  });

  test('an empty first answer is an equals sign', () => {
    expect(authCommand('external', conversation('external', NOBODY, SERVER))).toBe('AUTH EXTERNAL =');
  });

  test('login waits to be asked for user and password', () => {
    const talk = conversation('login', { ...NOBODY, user: 'ada', password: 'pw' }, SERVER);
    expect(talk).toEqual({ answers: ['ada', 'pw'] });
    expect(authCommand('login', talk)).toBe('AUTH LOGIN');
  });

  test('what is missing', () => {
    expect(missingCredentials('plain', NOBODY)).toEqual([]);
    expect(missingCredentials('plain', { ...NOBODY, user: 'ada' })).toEqual(['password']);
    expect(missingCredentials('login', NOBODY)).toEqual(['user', 'password']);
    expect(missingCredentials('oauthbearer', NOBODY)).toEqual(['token']);
    expect(missingCredentials('external', NOBODY)).toEqual([]);
  });
});
