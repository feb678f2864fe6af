/** Requests of AWS services that take JSON and the name of the operation in a header. Pure. */
import type { AwsRequest } from './define.ts';
import { atService } from './endpoint.ts';

/** A call of an operation, `Kinesis_20131202.PutRecord`. `version` is that of the protocol, 1.0 or 1.1. */
export function jsonCall(
  address: string,
  target: string,
  version: '1.0' | '1.1',
  input: unknown,
): AwsRequest {
  return {
    method: 'POST',
    url: atService(address),
    headers: { 'content-type': `application/x-amz-json-${version}`, 'x-amz-target': target },
    body: JSON.stringify(input),
  };
}
