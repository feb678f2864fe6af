import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/outputs/rabbitmq/address.ts';

describe('address of RabbitMQ', () => {
  test.each([
    ['amqp://host', { host: 'host', port: 5672, vhost: '/', username: 'guest', password: 'guest' }],
    ['amqps://host/', { secure: true, port: 5671, vhost: '/' }],
    ['amqp://user@host:1/x', { port: 1, vhost: 'x', username: 'user', password: '' }],
    ['amqp://a%40b:p%2Fw%3A@host/%2F', { username: 'a@b', password: 'p/w:', vhost: '/' }],
    ['amqp://[::1]:5673/a%2Fb', { host: '::1', port: 5673, vhost: 'a/b' }],
    [
      'amqp://host?heartbeat=60&auth_mechanism=EXTERNAL&connection_timeout=5',
      { heartbeat: 60, mechanism: 'external' },
    ],
    ['amqp://50%:100%@host', { username: '50%', password: '100%' }],
  ])('%s', (text, expected) => expect(parseAddress(text)).toMatchObject(expected));

  test.each([
    ['http://host', 'expected amqp://'],
    ['amqp://', 'expected amqp://'],
    ['nonsense', 'expected amqp://'],
    ['amqp://host?auth_mechanism=magic', 'plain, amqplain, external'],
    ['amqp://host?heartbeat=0', 'from 1 to 3600'],
    ['amqps://user:secret@host?cacertfile=/ca.pem', 'set tls.ca'],
  ])('refuses %s', (text, message) => {
    expect(() => parseAddress(text)).toThrow(message);
    expect(() => parseAddress(text)).not.toThrow('secret');
  });
});
