import type { Alert } from '../../core/contract.ts';
import type { GoogleConfig } from '../_kit/google/credentials.ts';
import type { HttpMessage } from '../_kit/http.ts';
import { toMillis, toRfc3339After, toRfc3339Seconds } from '../_kit/times.ts';
import { joinUrl } from '../_kit/url.ts';

interface Config extends GoogleConfig {
  region: string;
  projectid: string;
  instanceid: string;
  logtype: string;
  endpoint: string;
}

/**
 * Requests were limited to 1 MB by the API before this one (cloud.google.com/chronicle/docs/reference/ingestion-api), and
 * base64 takes four bytes for three.
 */
export const MOST = { items: 1000, bytes: 700_000 };

export function addressOf({ endpoint, region }: Config): string {
  return endpoint || `https://chronicle.${region}.rep.googleapis.com`;
}

/** A log entry; it has to be collected after it was written. */
function toEntry(alert: Alert, now: number) {
  return {
    data: alert.bytes.toString('base64'),
    logEntryTime: toRfc3339Seconds(alert),
    collectionTime: now > toMillis(alert) ? new Date(now).toISOString() : toRfc3339After(alert, 1),
  };
}

export function toRequest(alerts: readonly Alert[], config: Config, now: number): HttpMessage {
  const { projectid, region, instanceid, logtype } = config;
  const path = `/v1beta/projects/${projectid}/locations/${region}/instances/${instanceid}/logTypes/${logtype}/logs:import`;
  return {
    url: joinUrl(addressOf(config), path),
    headers: { 'content-type': 'application/json' },
    json: { inlineSource: { logs: alerts.map(alert => toEntry(alert, now)) } },
  };
}
