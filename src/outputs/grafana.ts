import { flag, integer, secret, url } from '../core/keys.ts';
import { toGoText } from './_kit/go-text.ts';
import { defineHttpOutput, type HttpMessage } from './_kit/http.ts';
import { byCodeUnit, truncate, truncateBytes } from './_kit/text.ts';
import { toMillis } from './_kit/times.ts';
import { joinUrl } from './_kit/url.ts';

/**
 * All tags of an annotation as JSON, in bytes: above Grafana's default for `tags_length` it refuses the annotation
 * (grafana.com/docs/grafana/latest/setup-grafana/configure-grafana, `[annotations]`).
 */
const MAX_TAGS = 500;
/** In characters: a longer one ends in a 500 where Grafana has PostgreSQL or MySQL (github.com/grafana/grafana/issues/98361). */
const MAX_TAG = 100;
/** In bytes: what MySQL keeps in a column of type TEXT, as which Grafana has it. Above it ends in a 500, too. */
const MAX_TEXT = 65_535;

/** The tags that there is room for, in their order: the first few, and of the others the short ones. */
function fitting(first: readonly string[], others: readonly string[]): string[] {
  const tags = [...first, ...others].map(tag => truncate(tag, MAX_TAG));
  const sizes = tags.map(tag => Buffer.byteLength(tag) + '"",'.length);
  const rank = (at: number) => (at < first.length ? 0 : sizes[at]!);
  const kept = new Set<number>();
  let room = MAX_TAGS - '[]'.length;
  for (const at of [...tags.keys()].sort((a, b) => rank(a) - rank(b))) {
    if (sizes[at]! > room) continue;
    room -= sizes[at]!;
    kept.add(at);
  }
  return tags.filter((_, at) => kept.has(at));
}

export default defineHttpOutput({
  name: 'grafana',
  title: 'Grafana',
  category: 'metrics',
  docs: 'Marks each alert as an annotation in dashboards, see https://grafana.com/docs/grafana/latest/developers/http_api/annotations.',
  keys: {
    hostport: url('Address of Grafana; setting it and `apikey` turns the output on.'),
    apikey: secret('Token of a service account that may write annotations.'),
    dashboardid: integer('Dashboard that shows the annotations; 0: all of them.', 0),
    panelid: integer('Panel that shows the annotations; 0: all of the dashboard.', 0),
    allfieldsastags: flag(
      'Whether the output fields and the tags of the alert are tags of the annotation, as far as Grafana has room: 500 bytes for all of them, 100 characters for each.',
    ),
  },
  enabledBy: ['hostport', 'apikey'],
  request(alert, config): HttpMessage {
    const time = toMillis(alert);
    const { outputFields } = alert;
    const first = ['falco', alert.priority, alert.rule, alert.source, alert.hostname].filter(Boolean);
    const others: string[] = [];
    if (config.allfieldsastags) {
      const names = Object.keys(outputFields).sort(byCodeUnit);
      others.push(...names.map(name => toGoText(outputFields[name]!)), ...alert.tags);
    }
    return {
      url: joinUrl(config.hostport, '/api/annotations'),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${config.apikey}` },
      json: {
        ...(config.dashboardid > 0 && { dashboardId: config.dashboardid }),
        ...(config.panelid > 0 && { panelId: config.panelid }),
        time,
        timeEnd: time,
        tags: fitting(first, others),
        // An annotation without a text is refused.
        text: truncateBytes(alert.output || alert.rule, MAX_TEXT),
      },
    };
  },
  example: { hostport: 'https://grafana.example', apikey: 'service-account-token' },
});
