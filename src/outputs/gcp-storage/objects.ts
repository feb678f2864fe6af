/** Writes alerts to a bucket of Cloud Storage. */
import type { Alert, Cancellation, Host, HttpClient, Output } from '../../core/contract.ts';
import { judge } from '../_kit/http.ts';
import { PACKED_TYPE, packLines } from '../_kit/object-batch.ts';
import { alertObjectName, batchObjectName, shareOf, toDigits } from '../_kit/object-name.ts';
import { type NewObject, toBucketQuery, toUpload } from './upload.ts';

/** Names tried for an alert until one is free. */
const MAX_NAMES = 3;

/** Where and how objects are written. */
export interface Storage {
  endpoint: string;
  bucket: string;
  prefix: string;
  layout: string;
  /** Several alerts go into one object, also when there is only one. */
  batched: boolean;
}

/** The output over a client that knows whose credentials to show. */
export function openStorage(
  storage: Storage,
  http: HttpClient,
  clock: Host['clock'],
): Pick<Output, 'send' | 'probe'> {
  const { endpoint, bucket, prefix, layout, batched } = storage;
  const upload = (object: Omit<NewObject, 'bucket'>, signal: Cancellation) =>
    http.send(toUpload(endpoint, { bucket, ...object }), signal);

  async function sendBatch(alerts: readonly Alert[], signal: Cancellation): Promise<void> {
    const bytes = await packLines(alerts);
    const now = clock.now();
    const name = batchObjectName(prefix, layout, alerts, now);
    const response = await upload({ name, contentType: PACKED_TYPE, bytes }, signal);
    // The name is that of these alerts: an earlier try has stored them, and its answer was lost.
    if (response.status !== 412) judge(response, now);
  }

  async function sendOne({ uuid, bytes }: Alert, signal: Cancellation): Promise<void> {
    // The type that falcosidekick's library gives it.
    const contentType = 'text/plain; charset=utf-8';
    let share = shareOf(uuid);
    for (let names = 1; ; names++) {
      const now = clock.now();
      const name = alertObjectName(prefix, now, toDigits(share));
      const response = await upload({ name, contentType, bytes }, signal);
      if (response.status !== 412 || names === MAX_NAMES) return judge(response, now);
      share = clock.random();
    }
  }

  return {
    send: (alerts, { signal }) => (batched ? sendBatch(alerts, signal) : sendOne(alerts[0]!, signal)),
    /** Any answer but a refusal of who asks will do: an account that may only create sees nothing of a bucket. */
    async probe(signal) {
      const response = await http.send(toBucketQuery(endpoint, bucket), signal);
      if (response.status === 401 || response.status === 404) judge(response, clock.now());
    },
  };
}
