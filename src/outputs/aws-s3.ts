import { flag, oneOf, text, url } from '../core/keys.ts';
import { type AwsRequest, defineAwsOutput } from './_kit/aws/define.ts';
import { serviceUrl } from './_kit/aws/endpoint.ts';
import { type Bucket, needsPath, OBJECT_LIMITS, putAlert, putBatch } from './_kit/aws/objects.ts';
import { awsKeys } from './_kit/aws/settings.ts';
import { batchingKey } from './_kit/batching.ts';

interface S3Config {
  bucket: string;
  endpoint: string;
  pathstyle: boolean;
  objectcannedacl: string;
}

function placeOf({ bucket, endpoint, pathstyle }: S3Config, region: string): Bucket {
  const address = endpoint || serviceUrl('s3', region, 'S3');
  return { endpoint: address, bucket, inPath: pathstyle || needsPath(address, bucket) };
}

function withAcl(request: AwsRequest, { objectcannedacl }: S3Config): AwsRequest {
  return { ...request, headers: { ...request.headers, 'x-amz-acl': objectcannedacl } };
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
    objectcannedacl: oneOf(
      'Who may read the objects, one of the ACLs of S3.',
      [
        'bucket-owner-full-control',
        'private',
        'public-read',
        'public-read-write',
        'authenticated-read',
        'aws-exec-read',
        'bucket-owner-read',
      ],
      'bucket-owner-full-control',
    ),
    batching: batchingKey(),
    ...awsKeys,
  },
  enabledBy: 'bucket',
  service: 's3',
  batch: OBJECT_LIMITS,
  request: (alert, config, { region, now }) =>
    withAcl(putAlert(placeOf(config, region), config.prefix, alert, now), config),
  requestBatch: (alerts, config, { region, now }) =>
    withAcl(putBatch(placeOf(config, region), config.prefix, alerts, now), config),
  example: {
    bucket: 'falco-alerts',
    region: 'eu-west-1',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
