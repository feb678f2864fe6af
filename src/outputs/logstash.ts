import { z } from 'zod';
import {
  escapeLineSeparators,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseExact,
} from '../core/alert/json.ts';
import { type Alert, defineOutput } from '../core/contract.ts';
import { flag, integer, list, text } from '../core/keys.ts';
import { bareHost } from '../core/url-parts.ts';
import { hostProblems } from './_kit/hostport.ts';
import { openLineSocket } from './_kit/line-socket.ts';
import { legalNames } from './_kit/names.ts';
import { toTlsOptions } from './_kit/tls.ts';

const LINE_END = Buffer.from('\r\n');

const INDEX = /\[(\d+)\]/;
const INDEXES = /\[(\d+)\]/g;

/** The alert as a line of JSON: with more tags, and without the `[0]` that Logstash takes for a reference to a field. */
export function toLine(alert: Alert, tags: readonly string[]): Buffer {
  if (tags.length === 0 && !INDEX.test(alert.json)) return Buffer.concat([alert.bytes, LINE_END]);
  const { output_fields, source, tags: own, hostname, ...rest } = parseExact(alert.json) as JsonObject;
  const { uuid, output, priority, rule, time, ...extra } = rest;
  const document = {
    ...{ uuid, output, priority, rule, time },
    output_fields: withoutIndexes(output_fields!),
    source,
    ...(alert.tags.length + tags.length > 0 && { tags: [...alert.tags, ...tags] }),
    ...(hostname !== undefined && { hostname }),
    ...extra,
  };
  return Buffer.from(`${escapeLineSeparators(JSON.stringify(document))}\r\n`);
}

/** `a[0]` → `a.0` in the names of fields, those of maps in maps too; no two become one. */
function withoutIndexes(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withoutIndexes);
  if (!isJsonObject(value)) return value;
  const names = legalNames(Object.keys(value), name => name.replace(INDEXES, '.$1'));
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [names.get(name)!, withoutIndexes(inner)]),
  );
}

export default defineOutput({
  name: 'logstash',
  title: 'Logstash',
  category: 'logs',
  docs: 'Writes each alert as a line of JSON to a tcp input with codec json_lines, see https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-tcp. Such an input never answers: what was written counts as delivered when the far machine has it and the connection has held for a moment; what a connection that breaks may have lost is sent again.',
  keys: z.object({
    address: text('Host of the server; setting it turns the output on.'),
    port: integer('Port of the tcp input.', 5044, { min: 1, max: 65_535 }),
    tags: list('Tags added behind those of the alert.'),
    tls: flag('Connects with TLS.'),
    cacertfile: text("Authorities trusted besides the system's, PEM: falcosidekick's name for `tls.ca`."),
    certfile: text("Client certificate, PEM: falcosidekick's name for `tls.cert`."),
    keyfile: text("Its private key, PEM: falcosidekick's name for `tls.key`."),
    confirm: flag(
      'Sends each batch over a connection of its own and waits until the server, having read everything, has closed it too. No alert is then lost in the buffers of a server that is killed.',
    ),
  }),
  tls: true,
  enabled: config => config.address !== '',
  check: config => hostProblems('address', config.address),
  batch: { items: 500, bytes: 2 ** 20, waitMs: 5 },
  // Each send waits for the connection to hold, so several are on their way; all of them over one connection.
  concurrency: 8,
  async open(config, { tls, log }) {
    const lines = openLineSocket({
      host: bareHost(config.address),
      port: config.port,
      ...(config.tls && { tls: toTlsOptions(tls) }),
      confirmByClose: config.confirm,
      log,
    });
    return {
      send: (alerts, { signal }) =>
        lines.send(Buffer.concat(alerts.map(alert => toLine(alert, config.tags))), signal),
      probe: signal => lines.probe(signal),
      close: () => lines.close(),
    };
  },
  example: { address: 'logstash.example' },
});
