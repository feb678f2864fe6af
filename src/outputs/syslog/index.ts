import { hostname } from 'node:os';
import { z } from 'zod';
import { type Alert, defineOutput, type Host, type Output } from '../../core/contract.ts';
import { flag, integer, oneOf, text } from '../../core/keys.ts';
import { bareHost } from '../../core/url-parts.ts';
import { MAX_DATAGRAM, openDatagramSocket } from '../_kit/datagram-socket.ts';
import { hostProblems } from '../_kit/hostport.ts';
import { openLineSocket } from '../_kit/line-socket.ts';
import { settle } from '../_kit/settle.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import { toCef } from './cef.ts';
import { FACILITIES, toDatagram, toFrame, toMessage } from './message.ts';

const PORT = 514;
/** RFC 5425 */
const TLS_PORT = 6514;

const keys = z.object({
  host: text('Host of the server; setting it turns the output on.'),
  port: integer('Port of the server; 0 stands for 514, with protocol tls for 6514.', 0, { max: 65_535 }),
  protocol: oneOf(
    `How to get there. Over udp nobody confirms anything, and an alert of over ${MAX_DATAGRAM.toLocaleString('en')} bytes becomes a dead letter.`,
    ['tcp', 'udp', 'tls'],
    'tcp',
  ),
  format: oneOf('What the message is: the alert as JSON, or a CEF event.', ['json', 'cef'], 'json', {
    otherwise: 'json',
  }),
  strictcef: flag(
    'Writes CEF as its standard says: equals signs and backslashes of values escaped, `start` in milliseconds. Without it values look like those of falcosidekick.',
  ),
  header: oneOf(
    "Header of the messages; falcosidekick's is that of RFC 3164 with the time of RFC 5424.",
    ['falcosidekick', 'rfc3164', 'rfc5424'],
    'falcosidekick',
  ),
  facility: oneOf('Facility of the messages.', FACILITIES, 'kern'),
  framing: oneOf(
    'What parts the messages of a stream (RFC 6587): a newline behind, or the number of octets before each. auto is octets for tls and newline for tcp.',
    ['auto', 'newline', 'octets'],
    'auto',
  ),
  confirm: flag(
    'For tcp and tls: sends each batch over a connection of its own and waits until the server, having read everything, has closed it too. No alert is then lost in the buffers of a server that is killed.',
  ),
});

type SyslogConfig = z.output<typeof keys>;

/** What an alert becomes: the one line of the message. */
function toLine(config: SyslogConfig): (alert: Alert) => string {
  const sender = { hostname: hostname(), pid: process.pid };
  return alert => {
    const body = config.format === 'cef' ? toCef(alert, config.strictcef) : alert.json;
    return toMessage(alert, body, { ...config, sender });
  };
}

function overUdp(host: string, port: number, config: SyslogConfig): Output {
  const socket = openDatagramSocket({ host, port });
  const line = toLine(config);
  return {
    async send(alerts, { signal }) {
      const datagrams = alerts.map(alert => toDatagram(line(alert), config.header));
      settle(alerts.length, await socket.send(datagrams, signal));
    },
    probe: signal => socket.probe(signal),
    close: async () => socket.close(),
  };
}

function overStream(host: string, port: number, config: SyslogConfig, { tls, log }: Host): Output {
  const encrypted = config.protocol === 'tls';
  const framing = config.framing === 'auto' ? (encrypted ? 'octets' : 'newline') : config.framing;
  const line = toLine(config);
  const lines = openLineSocket({
    host,
    port,
    ...(encrypted && { tls: toTlsOptions(tls) }),
    confirmByClose: config.confirm,
    log,
  });
  return {
    send: (alerts, { signal }) =>
      lines.send(Buffer.concat(alerts.map(alert => toFrame(line(alert), framing))), signal),
    probe: signal => lines.probe(signal),
    close: () => lines.close(),
  };
}

export default defineOutput({
  name: 'syslog',
  title: 'Syslog',
  category: 'logs',
  docs: 'Sends each alert as a syslog message over UDP, TCP or TLS, see https://www.rfc-editor.org/rfc/rfc5424. No server answers: over TCP and TLS a message counts as delivered when the far machine has it and the connection has held for a moment, over UDP when nobody says that the port is closed.',
  keys,
  tls: true,
  enabled: config => config.host !== '',
  check: config => hostProblems('host', config.host),
  // A burst of datagrams has to fit into the buffer of the receiver's socket: 208 KiB by default on Linux, overhead included.
  batchBy: ({ protocol }) =>
    protocol === 'udp'
      ? { items: 50, bytes: 64 * 1024, waitMs: 5 }
      : { items: 500, bytes: 2 ** 20, waitMs: 5 },
  // One after the other keeps the order, and bounds the burst.
  concurrency: 1,
  async open(config, host) {
    const name = bareHost(config.host);
    const port = config.port || (config.protocol === 'tls' ? TLS_PORT : PORT);
    return config.protocol === 'udp' ? overUdp(name, port, config) : overStream(name, port, config, host);
  },
  example: { host: 'syslog.example', port: 514, protocol: 'tcp' },
});
