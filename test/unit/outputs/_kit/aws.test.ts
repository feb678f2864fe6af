/** Signing, credentials and addresses of AWS. */
import { describe, expect, test } from 'vitest';
import type { HttpRequest } from '../../../../src/core/contract.ts';
import { PermanentError, RetriableError } from '../../../../src/core/errors.ts';
import { entryFailure, judgeAws } from '../../../../src/outputs/_kit/aws/answers.ts';
import { ambientRegion, keySource, remembered } from '../../../../src/outputs/_kit/aws/credentials.ts';
import { arnRegion, atService, queueRegion, serviceUrl } from '../../../../src/outputs/_kit/aws/endpoint.ts';
import { needsPath } from '../../../../src/outputs/_kit/aws/objects.ts';
import { signRequest } from '../../../../src/outputs/_kit/aws/sign.ts';
import { clientOf } from '../../../support/http-client.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');

// The signatures are those of the SDK's own signer for the same requests.
describe('signatures', () => {
  const keys = { accessKeyId: 'AK', secretAccessKey: 'SK' };
  const sign = (service: string, request: Omit<HttpRequest, 'body'>, sessionToken?: string) =>
    signRequest(
      { ...request, body: '{"a":"é"}' },
      { ...keys, sessionToken },
      { region: 'eu-west-1', service },
      NOW,
    );

  test('cover content type and the headers of AWS', () => {
    const { headers } = sign('sqs', {
      method: 'POST',
      url: 'https://sqs.eu-west-1.amazonaws.com/',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': 'AmazonSQS.SendMessage',
        'x-request': 'not signed',
      },
    });
    expect(headers.authorization).toBe(
      'AWS4-HMAC-SHA256 Credential=AK/20260131/eu-west-1/sqs/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=510e7e2405e87e12796dcd0e9093fe012d8b628b90a64377a75f97dc14e4d042',
    );
  });

  test('encode the path twice and cover the session token', () => {
    const { headers } = sign(
      'lambda',
      {
        method: 'POST',
        url: 'https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Ax/invocations',
        headers: { 'content-type': 'application/json', 'x-amz-log-type': 'Tail' },
      },
      'TOKEN==',
    );
    expect(headers['x-amz-security-token']).toBe('TOKEN==');
    expect(headers.authorization).toContain(
      'SignedHeaders=content-type;host;x-amz-date;x-amz-log-type;x-amz-security-token, Signature=172ac487152b660c0dc6a38d9b6f45be94f5e89a6060b94eb41d1944f4f25c0f',
    );
  });

  test('encode the path once for S3 and tell the hash of the body', () => {
    const { headers } = sign('s3', {
      method: 'PUT',
      url: 'https://b.s3.amazonaws.com/falco/2026-01-31/2026-01-31T12%3A00%3A00.1%20%28Z.json',
      headers: { 'content-md5': 'abc=', 'x-amz-acl': 'private' },
    });
    expect(headers.authorization).toContain(
      'SignedHeaders=host;x-amz-acl;x-amz-content-sha256;x-amz-date, Signature=c61753bc17cd8f652ebf58524881e7d3c32846036660e370820502e957e6ec7d',
    );
  });
});

describe('credentials', () => {
  const at = (ms: number) => ({ accessKeyId: 'A', secretAccessKey: 'S', expiration: new Date(ms) });

  test('are asked for once by all who wait, and again before they expire', async () => {
    let now = 0;
    let asked = 0;
    const keys = remembered(
      async () => {
        asked++;
        return at(now + 3_600_000);
      },
      () => now,
    );
    await Promise.all([keys.get(), keys.get(), keys.get()]);
    expect(asked).toBe(1);
    now = 3_000_000;
    await keys.get();
    expect(asked).toBe(1);
    now = 3_400_000;
    await keys.get();
    expect(asked).toBe(2);
  });

  test('serve on while they hold when new ones cannot be had', async () => {
    let now = 0;
    let works = true;
    const keys = remembered(
      async () => {
        if (!works) throw new Error('token service said: S3cret');
        return at(1_000_000);
      },
      () => now,
    );
    await keys.get();
    works = false;
    now = 900_000;
    expect(await keys.get()).toMatchObject({ accessKeyId: 'A' });
    now = 1_000_001;
    const error = await keys.get().catch(failure => failure);
    expect(error).toBeInstanceOf(RetriableError);
    expect(error).toMatchObject({ reason: 'auth' });
    expect(error.message).not.toContain('S3cret');
  });

  test('that are short-lived are asked for at half of their life, and not with each send when that fails', async () => {
    let now = 0;
    let asked = 0;
    let works = true;
    const keys = remembered(
      async () => {
        asked++;
        if (!works) throw new Error('the source is down');
        return at(now + 240_000);
      },
      () => now,
    );
    const sendFor = async (ms: number) => {
      for (const end = now + ms; now < end; now += 1000) await keys.get();
    };
    await sendFor(120_000);
    expect(asked).toBe(1);
    works = false;
    await sendFor(60_000);
    expect(asked).toBe(3);
    works = true;
    await sendFor(60_000 - 10_000);
    expect(asked).toBe(4);
  });

  test('of the settings are used as they are', async () => {
    const settings = { region: '', accesskeyid: 'AK', secretaccesskey: 'SK', rolearn: '' };
    const keys = await keySource(settings, 'eu-west-1', () => 0, clientOf());
    expect(await keys.get()).toEqual({ accessKeyId: 'AK', secretAccessKey: 'SK' });
  });

  test('come from the SDK when there are none in the settings', async () => {
    const before = process.env;
    process.env = { ...before, AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 'x', AWS_SESSION_TOKEN: 'T' };
    try {
      const keys = await keySource(
        { region: '', accesskeyid: '', secretaccesskey: '' },
        'eu-west-1',
        () => 0,
        clientOf(),
      );
      expect(await keys.get()).toMatchObject({ accessKeyId: 'ENV', secretAccessKey: 'x', sessionToken: 'T' });
    } finally {
      process.env = before;
    }
  });
});

test('the region comes from either variable', async () => {
  expect(await ambientRegion({ AWS_DEFAULT_REGION: 'eu-north-1' })).toBe('eu-north-1');
  expect(await ambientRegion({ AWS_REGION: 'eu-west-3', AWS_DEFAULT_REGION: 'eu-north-1' })).toBe(
    'eu-west-3',
  );
});

test('addresses follow the region, unless the environment has another', () => {
  expect(serviceUrl('sqs', 'eu-west-1', 'SQS', {})).toBe('https://sqs.eu-west-1.amazonaws.com');
  expect(serviceUrl('logs', 'cn-north-1', 'X', {})).toBe('https://logs.cn-north-1.amazonaws.com.cn');
  const env = { AWS_ENDPOINT_URL: 'http://all:1', AWS_ENDPOINT_URL_SNS: 'http://sns:2' };
  expect(serviceUrl('sns', 'eu-west-1', 'SNS', env)).toBe('http://sns:2');
  expect(serviceUrl('sqs', 'eu-west-1', 'SQS', env)).toBe('http://all:1');
});

test('the address of a service may have a path', () => {
  expect(atService('https://a.test', '/x/y')).toBe('https://a.test/x/y');
  expect(atService('https://a.test/')).toBe('https://a.test/');
  expect(atService('https://a.test/aws/', '/x')).toBe('https://a.test/aws/x');
  expect(atService('https://a.test/p%20a?q=1')).toBe('https://a.test/p%20a');
});

test('regions are read from ARNs and queue addresses', () => {
  expect(arnRegion('arn:aws-us-gov:sns:us-gov-west-1:1:t')).toBe('us-gov-west-1');
  expect(arnRegion('function-name')).toBeUndefined();
  expect(queueRegion('https://sqs.eu-west-1.amazonaws.com/1/q')).toBe('eu-west-1');
  expect(queueRegion('https://eu-west-1.queue.amazonaws.com/1/q')).toBe('eu-west-1');
  expect(queueRegion('http://127.0.0.1:4566/1/q')).toBeUndefined();
});

describe('answers', () => {
  const judged = (status: number, body: string, headers = {}) => {
    try {
      judgeAws({ status, headers, body }, NOW, []);
    } catch (error) {
      return error;
    }
    return undefined;
  };

  test.each([
    ['JSON', 400, '{"__type":"com.amazonaws.sqs#ThrottlingException"}', {}, 'rate_limited'],
    ['JSON, Kinesis', 400, '{"__type":"ProvisionedThroughputExceededException"}', {}, 'rate_limited'],
    ['XML', 403, '<Error><Code>ExpiredToken</Code></Error>', {}, 'auth'],
    ['header', 403, '{}', { 'x-amzn-errortype': 'AccessDeniedException:http://x' }, 'auth'],
    ['clock', 403, '<Error><Code>RequestTimeTooSkewed</Code></Error>', {}, 'auth'],
    ['broken', 400, '{"__type":"InternalFailure"}', {}, 'server_error'],
    ['function pending', 409, '{}', { 'x-amzn-errortype': 'ResourceConflictException' }, 'server_error'],
    ['snapshot pending', 409, '{}', { 'x-amzn-errortype': 'SnapStartNotReadyException' }, 'server_error'],
    ['function inactive', 409, '{}', { 'x-amzn-errortype': 'ResourceNotReadyException' }, 'server_error'],
    ['key off, SQS', 400, '{"__type":"com.amazonaws.sqs#KmsDisabled"}', {}, 'server_error'],
    ['key off, SNS', 400, '<Error><Code>KMSDisabled</Code></Error>', {}, 'server_error'],
  ])('in %s tell what may pass', (_name, status, body, headers, reason) => {
    const error = judged(status, body, headers);
    expect(error).toBeInstanceOf(RetriableError);
    expect(error).toMatchObject({ reason });
  });

  test('that name no such thing follow the status', () => {
    expect(judged(400, '{"__type":"ValidationException"}')).toBeInstanceOf(PermanentError);
    expect(judged(503, '')).toBeInstanceOf(RetriableError);
    expect(judged(200, '{}')).toBeUndefined();
  });
});

test('an entry of a batch that a disabled key keeps out may pass', () => {
  const failure = entryFailure('KmsInvalidState', true);
  expect(failure).toBeInstanceOf(RetriableError);
  expect(failure).toMatchObject({ reason: 'server_error' });
  expect(entryFailure('InvalidMessageContents', true)).toBeInstanceOf(PermanentError);
});

test('buckets go by path where they cannot be a host', () => {
  expect(needsPath('https://s3.eu-west-1.amazonaws.com', 'plain-name')).toBe(false);
  expect(needsPath('https://s3.eu-west-1.amazonaws.com', 'with.dots')).toBe(true);
  expect(needsPath('http://127.0.0.1:9000', 'plain-name')).toBe(true);
  expect(needsPath('https://s3.eu-west-1.amazonaws.com', 'Upper_Case')).toBe(true);
});
