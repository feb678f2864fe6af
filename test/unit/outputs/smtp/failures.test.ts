import { describe, expect, test } from 'vitest';
import { toFailure } from '../../../../src/outputs/smtp/failures.ts';

function failure(response: string, command: string, code = 'EENVELOPE') {
  return toFailure({ code, response, responseCode: Number.parseInt(response, 10), command });
}

describe('failures', () => {
  test.each([
    ['450 4.2.0 greylisted', 'RCPT TO', 'RetriableError', 'server_error'],
    ['421 4.3.2 going down', 'CONN', 'RetriableError', 'server_error'],
    ['452 4.3.1 full', 'DATA', 'RetriableError', 'server_error'],
    ['550 5.1.1 no such user', 'RCPT TO', 'PermanentError', 'client_error'],
    ['553 5.1.8 bad sender', 'MAIL FROM', 'PermanentError', 'client_error'],
    ['554 5.7.1 looks like spam', 'DATA', 'PermanentError', 'client_error'],
    ['552 5.3.4 too big', 'MAIL FROM', 'PermanentError', 'payload'],
    ['552 too big', 'DATA', 'PermanentError', 'payload'],
    ['552 5.2.2 mailbox full', 'RCPT TO', 'PermanentError', 'client_error'],
    ['550 5.4.5 Daily user sending limit exceeded', 'DATA', 'RetriableError', 'rate_limited'],
    ['530 5.7.0 Authentication required', 'MAIL FROM', 'RetriableError', 'auth'],
    ['554 5.3.2 no service here', 'CONN', 'RetriableError', 'server_error'],
    ['502 5.5.1 no', 'EHLO', 'RetriableError', 'server_error'],
  ])('%s to %s', (response, command, name, reason) => {
    expect(failure(response, command)).toMatchObject({
      name,
      reason,
      message: expect.stringContaining(response),
    });
  });

  test('what the server says to a sign-in is not repeated', () => {
    const error = failure('535 5.7.8 bad: AGFkYQBwYXNzd29yZA==', 'AUTH PLAIN', 'EAUTH');
    expect(error).toMatchObject({ name: 'RetriableError', reason: 'auth' });
    expect(error.message).toBe('the server refused the credentials (535)');
  });

  test.each([
    [{ code: 'ESOCKET', originalCode: 'ECONNREFUSED' }, 'network', 'no server takes the connection'],
    [{ code: 'ESOCKET', originalCode: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'network', 'not trusted'],
    [{ code: 'EDNS', originalCode: 'ENOTFOUND' }, 'network', 'name of the server'],
    [{ code: 'ETIMEDOUT' }, 'timeout', 'does not answer'],
    [{ code: 'ETLS' }, 'network', 'TLS'],
    [{ code: 'ETLS', command: 'STARTTLS', responseCode: 502, response: '502 no' }, 'network', 'no STARTTLS'],
    [{ code: 'ECONNECTION' }, 'network', 'lost'],
  ] as const)('%j may pass', (cause, reason, message) => {
    expect(toFailure(cause)).toMatchObject({
      name: 'RetriableError',
      reason,
      message: expect.stringContaining(message),
    });
  });

  test('a mail over the announced size is given up', () => {
    expect(toFailure({ code: 'EMESSAGE' })).toMatchObject({ name: 'PermanentError', reason: 'payload' });
  });
});
