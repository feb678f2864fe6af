import type { Host } from '../../core/contract.ts';
import { toPathSegment } from '../../core/url-parts.ts';
import { ensure } from '../_kit/ensure.ts';
import type { HttpMessage } from '../_kit/http.ts';
import { joinUrl } from '../_kit/url.ts';
import { toIndex } from './index-config.ts';

interface QuickwitConfig {
  hostport: string;
  apiendpoint: string;
  index: string;
  version: string;
}

const HEADERS = { 'content-type': 'application/json; charset=utf-8' };

/** An address of the API; `apiendpoint` may come with or without slashes around it. */
function toUrl(config: QuickwitConfig, path: string): string {
  return joinUrl(joinUrl(config.hostport, config.apiendpoint), path);
}

export function toRequest(config: QuickwitConfig, body: Buffer): HttpMessage {
  return { url: toUrl(config, `${toPathSegment(config.index)}/ingest`), body };
}

/** Makes the index unless it is there. */
export function ensureIndex(config: QuickwitConfig, host: Host): Promise<void> {
  const described = toUrl(config, `indexes/${toPathSegment(config.index)}/describe`);
  return ensure(host, {
    check: { url: described, headers: HEADERS },
    create: {
      method: 'POST',
      url: toUrl(config, 'indexes'),
      headers: HEADERS,
      body: JSON.stringify(toIndex(config)),
    },
    exists: answer => /already exists/i.test(answer),
  });
}
