import { integer, oneOf, secret, text } from '../../core/keys.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { toOrigin, toRequest } from './report.ts';

export default defineHttpOutput({
  name: 'wavefront',
  title: 'Wavefront',
  category: 'metrics',
  docs: 'Sends each alert as a point with tags, through a proxy or directly, see https://docs.wavefront.com/wavefront_data_format.html.',
  keys: {
    endpointtype: oneOf(
      'Whether points go to a Wavefront proxy or to the service itself; setting it and `endpointhost` turns the output on.',
      ['', 'proxy', 'direct'],
      '',
    ),
    endpointhost: text('Address of the proxy, `http://wavefront-proxy`, or host of the service.'),
    endpointtoken: secret('API token, for `direct`.'),
    endpointmetricport: integer('Port of the proxy.', 2878, { min: 1, max: 65_535 }),
    metricname: text('Name of the metric.', 'falco.alert'),
    flushintervalseconds: integer('Accepted for the sake of old files: points are sent at once.', 0),
    batchsize: integer('Most points in one request.', 10_000, { min: 1 }),
  },
  enabledBy: ['endpointtype', 'endpointhost'],
  address: toOrigin,
  check: config =>
    config.endpointhost === '' || URL.canParse(toOrigin(config))
      ? []
      : [{ path: 'endpointhost', message: 'expected a host, or a URL with http:// or https://' }],
  request: (alert, config) => toRequest([alert], config),
  requestBatch: toRequest,
  // falcosidekick sends each point at once as well; only a backlog makes large requests.
  batchBy: ({ batchsize }) =>
    batchsize > 1 ? { items: batchsize, bytes: 1024 * 1024, waitMs: 0 } : undefined,
  // Too many points are answered with a 406, too: github.com/wavefrontHQ/wavefront-proxy, AbstractDataSubmissionTask.
  refusalStatus: ({ status }) => (status === 406 ? 429 : undefined),
  example: { endpointtype: 'proxy', endpointhost: 'http://wavefront-proxy.example' },
});
