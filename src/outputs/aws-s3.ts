import { flag, oneOf, text, url } from '../core/keys.ts';
import { defineAwsOutput } from './_kit/aws/define.ts';
import { serviceUrl } from './_kit/aws/endpoint.ts';
import { type Bucket, needsPath, putAlert, putBatch } from './_kit/aws/objects.ts';
import { awsKeys } from './_kit/aws/settings.ts';
import { layoutProblems, OBJECT_LIMITS, objectBatchKeys } from './_kit/object-batch.ts';

const ACLS = [
  'bucket-owner-full-control',
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
] as const;

interface S3Config {
  bucket: string;
  endpoint: string;
  pathstyle: boolean;
  objectcannedacl: string;
}

function placeOf({ bucket, endpoint, pathstyle, objectcannedacl }: S3Config, region: string): Bucket {
  const address = endpoint || serviceUrl('s3', region, 'S3');
  const inPath = pathstyle || needsPath(address, bucket);
  return { endpoint: address, bucket, inPath, acl: objectcannedacl };
}

export default defineAwsOutput({
  name: 'aws.s3',
  title: 'AWS S3',
  category: 'storage',
  docs: 'Writes each alert as a JSON object to a bucket of Amazon S3 or of a storage that speaks its protocol, or with `batching` several as compressed lines, see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html.',
  keys: {
    bucket: text('Name of the bucket; setting it turns the output on.'),
    prefix: text('Beginning of the names of the objects.', 'falco'),
    endpoint: url('Address of the service, where it is not that of the region.'),
    pathstyle: flag(
      'The bucket stands in the path, not before the host; always so with an address of numbers.',
    ),
    objectcannedacl: oneOf('Who may read the objects, one of the ACLs of S3.', ACLS, ACLS[0]),
    ...objectBatchKeys,
    ...awsKeys,
  },
  enabledBy: 'bucket',
  service: 's3',
  batch: OBJECT_LIMITS,
  request: (alert, config, { region, now }) => putAlert(placeOf(config, region), config, alert, now),
  requestBatch: (alerts, config, { region, now }) => putBatch(placeOf(config, region), config, alerts, now),
  check: layoutProblems,
  templateBody: () => 'json',
  example: {
    bucket: 'falco-alerts',
    region: 'eu-west-1',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
