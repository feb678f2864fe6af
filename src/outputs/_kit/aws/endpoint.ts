/** Addresses of AWS services. Pure. */
import { joinUrl } from '../url.ts';

/** Domain names by the beginning of the region: docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html. */
const DOMAINS: readonly [prefix: string, domain: string][] = [
  ['cn-', 'amazonaws.com.cn'],
  ['us-isob-', 'sc2s.sgov.gov'],
  ['us-isof-', 'csp.hci.ic.gov'],
  ['us-iso-', 'c2s.ic.gov'],
  ['eu-isoe-', 'cloud.adc-e.uk'],
  ['eusc-', 'amazonaws.eu'],
];

/**
 * The address of a service (`sqs`, `logs`) in a region. The variables AWS_ENDPOINT_URL_<SERVICE> and AWS_ENDPOINT_URL
 * set another one, as they do for the SDKs; `variable` is the name of the service there.
 */
export function serviceUrl(
  service: string,
  region: string,
  variable: string,
  env: NodeJS.ProcessEnv = process.env,
): string {
  return environmentUrl(variable, env) ?? `https://${service}.${region}.${domainOf(region)}`;
}

/** The URL of a path at a service, whose address may have a path of its own in front, as for the SDKs. */
export function atService(address: string, path = ''): string {
  const { origin, pathname } = new URL(address);
  return joinUrl(origin + pathname, path || (pathname === '/' ? '/' : ''));
}

/** What the environment says of the address of a service. */
export function environmentUrl(variable: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env[`AWS_ENDPOINT_URL_${variable}`] || env.AWS_ENDPOINT_URL || undefined;
}

function domainOf(region: string): string {
  return DOMAINS.find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'amazonaws.com';
}

/** The region in an ARN, `arn:aws:sns:eu-west-1:1:topic`; undefined when there is none. */
export function arnRegion(text: string): string | undefined {
  return /^arn:[a-z-]+:[a-z0-9-]+:([a-z0-9-]+):/.exec(text)?.[1];
}

/** The region in the address of a queue, `https://sqs.eu-west-1.amazonaws.com/1/queue`; undefined when there is none. */
export function queueRegion(url: string): string | undefined {
  return /^https?:\/\/(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\./
    .exec(url)
    ?.slice(1)
    .find(Boolean);
}
