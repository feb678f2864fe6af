import type { Alert } from '../../core/contract.ts';
import { toQueryValue, toUrlTail } from '../../core/url-parts.ts';
import type { HttpMessage } from '../_kit/http.ts';
import { toNanos } from '../_kit/times.ts';
import { joinUrl } from '../_kit/url.ts';
import { toLine } from './line.ts';

/** Nanoseconds in one unit of each precision; `u` and `n` are InfluxDB 1's names. */
const UNITS = {
  ns: 1n,
  n: 1n,
  us: 1_000n,
  u: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
} as const;

interface InfluxConfig {
  hostport: string;
  database: string;
  organization: string;
  bucket: string;
  precision: keyof typeof UNITS;
  user: string;
  password: string;
  token: string;
}

function toPath({ database, organization, bucket, user, password, token, precision }: InfluxConfig): string {
  const place =
    organization !== '' && bucket !== ''
      ? `/api/v2/write?org=${toQueryValue(organization)}&bucket=${toQueryValue(bucket)}`
      : `/write?db=${toUrlTail(database)}`;
  const isSigned = token === '' && user !== '' && password !== '';
  const login = isSigned ? `&u=${toQueryValue(user)}&p=${toQueryValue(password)}` : '';
  return `${place}${login}&precision=${precision}`;
}

/** One request for all of them. @param timed whether the points have the times of their alerts */
export function toRequest(alerts: readonly Alert[], config: InfluxConfig, timed: boolean): HttpMessage {
  const unit = UNITS[config.precision];
  return {
    url: joinUrl(config.hostport, toPath(config)),
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      accept: 'application/json',
      ...(config.token !== '' && { authorization: `Token ${config.token}` }),
    },
    body: alerts.map(alert => toLine(alert, timed ? toNanos(alert) / unit : undefined)).join('\n'),
  };
}
