import type { Alert } from '../../core/contract.ts';
import { flag, integer, text, url } from '../../core/keys.ts';
import { defineAwsOutput } from '../_kit/aws/define.ts';
import { serviceUrl } from '../_kit/aws/endpoint.ts';
import { needsPath, putObject } from '../_kit/aws/objects.ts';
import { awsKeys } from '../_kit/aws/settings.ts';
import { batchId } from '../_kit/object-name.ts';
import { eventDay, toFinding } from './ocsf.ts';
import { loadWriter, toParquet } from './parquet.ts';

interface LakeConfig {
  bucket: string;
  region: string;
  prefix: string;
  accountid: string;
  endpoint: string;
  exactnumbers: boolean;
}

const MINUTE_MS = 60_000;
const DEFAULT_BATCH = 1000;
/** Alerts in memory while they wait, and a file of them. */
const MAX_BYTES = 32 * 1024 * 1024;

/** docs.aws.amazon.com/security-lake/latest/userguide/custom-sources.html. */
async function toRequest(alerts: readonly Alert[], config: LakeConfig) {
  const { bucket, region, accountid } = config;
  const endpoint = config.endpoint || serviceUrl('s3', region, 'S3');
  const prefix = config.prefix.replace(/^\/+|\/+$/g, '');
  const day = eventDay(alerts[0]!);
  // The same alerts have the same name: what is sent again takes the place of what was there already.
  const key = `${prefix}/region=${region}/accountId=${accountid}/eventDay=${day}/${batchId(alerts)}.parquet`;
  const place = {
    endpoint,
    bucket,
    inPath: needsPath(endpoint, bucket),
    acl: 'bucket-owner-full-control',
  };
  const file = await toParquet(alerts.map(alert => toFinding(alert, config.exactnumbers)));
  return putObject(place, key, 'Apache Parquet', file);
}

export default defineAwsOutput({
  name: 'aws.securitylake',
  title: 'Amazon Security Lake',
  category: 'siem',
  docs: 'Writes alerts as findings of OCSF in Parquet files, many in each, for a custom source of Amazon Security Lake, see https://docs.aws.amazon.com/security-lake/latest/userguide/custom-sources.html. An alert stays in the spool until the file with it is uploaded.',
  keys: {
    bucket: text('Bucket of the lake; setting it, `region`, `accountid` and `prefix` turns the output on.'),
    prefix: text('Location of the custom source in the bucket, `ext/falco`.'),
    accountid: text('Account, or external id, that the custom source was made for.'),
    interval: integer('Minutes to wait for a file to fill, from 5 to 60.', 5),
    batchsize: integer('Most alerts in a file.', DEFAULT_BATCH, { max: 50_000 }),
    exactnumbers: flag(
      'Numbers are written digit for digit. Otherwise as doubles, as falcosidekick does: of `evt.time`, the last three digits are rounded.',
    ),
    endpoint: url('Address of S3, where it is not that of the region.'),
    ...awsKeys,
    region: text('Region of the lake, of the bucket and in the names of the files.'),
  },
  enabledBy: ['bucket', 'region', 'accountid', 'prefix'],
  service: 's3',
  batchBy: ({ batchsize, interval }) => ({
    items: batchsize || DEFAULT_BATCH,
    bytes: MAX_BYTES,
    waitMs: Math.min(Math.max(interval, 5), 60) * MINUTE_MS,
  }),
  prepare: async () => void (await loadWriter()),
  parts: alerts => Object.values(Object.groupBy(alerts, eventDay)).map(part => part ?? []),
  request: (alert, config) => toRequest([alert], config),
  requestBatch: toRequest,
  templateBody: () => ({ refused: 'what is sent is a Parquet file with the columns of OCSF' }),
  example: {
    bucket: 'aws-security-data-lake-eu-west-1-falco',
    region: 'eu-west-1',
    accountid: '123456789012',
    prefix: 'ext/falco',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
