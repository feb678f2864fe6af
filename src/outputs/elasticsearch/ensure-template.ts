import type { Host } from '../../core/contract.ts';
import { toPathSegment } from '../../core/url-parts.ts';
import { ensure } from '../_kit/ensure.ts';
import { joinUrl } from '../_kit/url.ts';
import type { Config } from './keys.ts';
import { headersOf } from './output.ts';
import { toIndexTemplate } from './template.ts';

/** Makes the index template unless it is there. For indexes of other names than falcosidekick's it has a name of its own. */
export function ensureTemplate(config: Config, host: Host): Promise<void> {
  const address = joinUrl(config.hostport, `/_index_template/${toPathSegment(config.index)}`);
  const headers = headersOf(config);
  return ensure(host, {
    check: { url: address, headers },
    create: { method: 'PUT', url: address, headers, body: JSON.stringify(toIndexTemplate(config)) },
    // Another template for these indexes, such as falcosidekick's, serves as well.
    exists: answer => /existing templates|already exists/i.test(answer),
  });
}
