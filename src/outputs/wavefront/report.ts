import { gzipSync } from 'node:zlib';
import type { Alert } from '../../core/contract.ts';
import { toPoint } from './point.ts';

interface WavefrontConfig {
  endpointtype: '' | 'direct' | 'proxy';
  endpointhost: string;
  endpointtoken: string;
  endpointmetricport: number;
  metricname: string;
}

/** The address with a scheme; falcosidekick's files have none for direct sending, and may have none for a proxy here. */
export function toOrigin({ endpointtype, endpointhost, endpointmetricport }: WavefrontConfig): string {
  const [scheme, port] = endpointtype === 'proxy' ? ['http', `:${endpointmetricport}`] : ['https', ''];
  const host = endpointhost.replace(/\/$/, '');
  return (host.includes('://') ? host : `${scheme}://${host}`) + port;
}

export function toRequest(alerts: readonly Alert[], config: WavefrontConfig) {
  const direct = config.endpointtype === 'direct' && config.endpointtoken !== '';
  return {
    url: `${toOrigin(config)}/report?f=wavefront`,
    headers: {
      'content-type': 'application/octet-stream',
      'content-encoding': 'gzip',
      ...(direct && { authorization: `Bearer ${config.endpointtoken}` }),
    },
    body: gzipSync(alerts.map(alert => toPoint(alert, config.metricname)).join('')),
  };
}
