import { keyMeta, secret, text, url } from '../../core/keys.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { joinUrl } from '../_kit/url.ts';
import { loadIdentity, openEntra } from './identity.ts';
import { parseConnection, toSignature } from './sas.ts';

interface Config {
  name: string;
  namespace: string;
  connectionstring: string;
  endpoint: string;
}

/** A request may have 1 MiB (learn.microsoft.com/azure/event-hubs/event-hubs-quotas); JSON in JSON takes more than itself. */
const BATCH = { items: 1000, bytes: 700_000, waitMs: 50 };

function connectionKey() {
  const plain = secret(
    'Connection string with a shared access key that may send. When empty, Azure’s default credential: environment, workload identity, managed identity, Azure CLI.',
  );
  const expected = 'a connection string with Endpoint, SharedAccessKeyName and SharedAccessKey';
  const checked = plain.refine(value => value === '' || parseConnection(value) !== undefined, {
    error: `expected ${expected}`,
  });
  return checked.meta({ ...keyMeta(plain), expected }) as typeof plain;
}

function addressOf({ namespace, connectionstring, endpoint }: Config): string {
  if (endpoint !== '') return endpoint;
  const host = namespace === '' ? (parseConnection(connectionstring)?.host ?? '') : namespace;
  return `https://${host.includes('.') ? host : `${host}.servicebus.windows.net`}`;
}

function problems({ name, namespace, connectionstring, endpoint }: Config) {
  const given = parseConnection(connectionstring);
  if (given?.entity && given.entity !== name) {
    return [{ path: 'name', message: `the connection string is that of the event hub ${given.entity}` }];
  }
  if (namespace === '' && !given && endpoint === '') {
    return [{ path: 'namespace', message: 'namespace or connectionstring has to be set' }];
  }
  if (namespace === '' || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?$/i.test(namespace)) return [];
  return [{ path: 'namespace', message: 'expected a name, or a host such as NAME.servicebus.windows.net' }];
}

/** The batch is taken whole or not at all. */
function toRequest(bodies: readonly string[], config: Config) {
  const path = `/${encodeURIComponent(config.name)}/messages?timeout=60&api-version=2014-01`;
  return {
    url: joinUrl(addressOf(config), path),
    headers: { 'content-type': 'application/vnd.microsoft.servicebus.json' },
    json: bodies.map(Body => ({ Body })),
  };
}

export default defineHttpOutput({
  name: 'azure.eventhub',
  title: 'Azure Event Hubs',
  category: 'queue',
  docs: 'Sends each alert as JSON to an event hub, several events in a request, over its REST API, see https://learn.microsoft.com/rest/api/eventhub/send-batch-events. There is no server of it to be had for tests: it was tried against one made after that description only.',
  keys: {
    name: text('Name of the event hub; setting it turns the output on.'),
    namespace: text('Namespace of the event hub, alone or as the host NAME.servicebus.windows.net.'),
    connectionstring: connectionKey(),
    endpoint: url('Address of the namespace where it is not that of its name.', ['https']),
  },
  enabledBy: 'name',
  check: problems,
  batch: BATCH,
  prepare: async ({ connectionstring }) => {
    if (connectionstring === '') await loadIdentity();
  },
  address: addressOf,
  client: ({ connectionstring }, host) => (connectionstring === '' ? openEntra(host) : host.http),
  sign: (request, { connectionstring, name }, now) => {
    const connection = parseConnection(connectionstring);
    if (!connection) return request;
    const authorization = toSignature(connection, name, now);
    return { ...request, headers: { ...request.headers, authorization } };
  },
  request: (alert, config) => toRequest([alert.json], config),
  requestBatch: (alerts, config) =>
    toRequest(
      alerts.map(({ json }) => json),
      config,
    ),
  templateBody: () => 'text',
  example: {
    name: 'falco',
    connectionstring:
      'Endpoint=sb://my-namespace.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0',
  },
});
