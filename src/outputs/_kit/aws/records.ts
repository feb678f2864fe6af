/** Records of Kinesis and of what speaks its protocol: docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html. */

import { isJsonObject, type JsonValue, toText } from '../../../core/alert/json.ts';
import type { Alert, HttpResponse } from '../../../core/contract.ts';
import { expectNoneRefused, outcomesIn } from '../refused.ts';
import type { AwsRequest } from './define.ts';
import { settleEntries } from './entries.ts';
import { jsonCall } from './json-api.ts';

/** At most 500 records and 5 MiB, partition keys included. */
export const RECORD_LIMITS = { items: 500, bytes: 4 * 1024 * 1024 };

/** A result takes about 110 bytes. */
const MAX_ANSWER = 1024 * 1024;

// The uuid spreads the alerts over the shards, and is the same for each try.
const toRecord = (alert: Alert) => ({ Data: alert.bytes.toString('base64'), PartitionKey: alert.uuid });

export function putRecord(address: string, stream: string, alert: Alert): AwsRequest {
  return jsonCall(address, 'Kinesis_20131202.PutRecord', '1.1', { ...toRecord(alert), StreamName: stream });
}

export function putRecords(address: string, stream: string, alerts: readonly Alert[]): AwsRequest {
  const input = { Records: alerts.map(toRecord), StreamName: stream };
  return {
    ...jsonCall(address, 'Kinesis_20131202.PutRecords', '1.1', input),
    maxAnswerBytes: MAX_ANSWER,
  };
}

/** @throws RetriableError | PermanentError | PartialError when records were refused, or may have been */
export function judgeRecords(response: HttpResponse, alerts: readonly Alert[], batched: boolean): void {
  if (!batched) return;
  const { FailedRecordCount, Records } = outcomesIn(response, alerts.length);
  const records: readonly JsonValue[] = Array.isArray(Records) ? Records : [];
  const codes = records.map(record => (isJsonObject(record) ? toText(record.ErrorCode) : ''));
  const failed = [...codes.entries()].filter(([, code]) => code !== '');
  if (records.length !== alerts.length) {
    expectNoneRefused(FailedRecordCount ?? failed.length, alerts.length, response);
    return;
  }
  settleEntries(
    alerts.length,
    failed.map(([position, code]) => ({ position, code, senderFault: false })),
  );
}
