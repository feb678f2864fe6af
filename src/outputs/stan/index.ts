import type * as Transport from '@nats-io/transport-node';
import { z } from 'zod';
import {
  type Alert,
  type Cancellation,
  defineOutput,
  type Host,
  type Output,
  type SendContext,
  type TlsSettings,
} from '../../core/contract.ts';
import { addresses, text } from '../../core/keys.ts';
import { connectNats } from '../../core/nats/connect.ts';
import { parseServers } from '../../core/nats/servers.ts';
import { loadTransport } from '../../core/nats/transport.ts';
import { LinkKeeper, sendEach } from '../_kit/link.ts';
import { settle } from '../_kit/settle.ts';
import { DEFAULT_SUBJECT, subjectProblem } from '../_kit/subject.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import { CLIENT_ID } from './protocol.ts';
import { openSession, type Session } from './session.ts';

interface StanConfig {
  hostport: string[];
  clusterid: string;
  clientid: string;
  subjecttemplate: string;
}

export default defineOutput({
  name: 'stan',
  title: 'NATS Streaming (STAN)',
  category: 'queue',
  docs: 'Publishes to a channel of a NATS Streaming server, which its makers have retired for JetStream. See github.com/nats-io/nats-streaming-server.',
  keys: z.object({
    hostport: addresses(
      'Servers as nats://user:password@host:port, one or a comma list; tls:// or natss:// insists on TLS. Together with clusterid and clientid it turns the output on.',
    ),
    clusterid: text('Id of the streaming cluster.'),
    clientid: text('Id of this client; when another client has it, one by chance is put after it.'),
    subjecttemplate: text('Channel; <priority> and <rule> are filled in.', DEFAULT_SUBJECT),
  }),
  tls: true,
  enabled: config => config.hostport.length > 0 && config.clusterid !== '' && config.clientid !== '',
  check(config) {
    const problems: { path: string; message: string }[] = [];
    try {
      parseServers(config.hostport);
    } catch (error) {
      problems.push({ path: 'hostport', message: (error as Error).message });
    }
    if (!CLIENT_ID.test(config.clientid)) {
      problems.push({ path: 'clientid', message: 'expected letters, digits, - and _' });
    }
    if (!/^[^\s*>]+$/.test(config.clusterid)) {
      problems.push({ path: 'clusterid', message: 'expected no blanks and wildcards' });
    }
    const template = config.subjecttemplate.includes('/')
      ? 'expected a channel without /'
      : subjectProblem(config.subjecttemplate);
    if (template) problems.push({ path: 'subjecttemplate', message: template });
    return problems;
  },
  // A batch goes out at once and is awaited once. One at a time keeps the order; meanwhile the next batch grows.
  batch: { items: 500, bytes: 4 * 2 ** 20, waitMs: 5 },
  concurrency: 1,
  async open(config, host) {
    return new StanOutput(await loadTransport(), config, host);
  },
  example: { hostport: 'nats://nats.example:4222', clusterid: 'test-cluster', clientid: 'tiercel' },
});

class StanOutput implements Output {
  readonly #links: LinkKeeper<Session>;

  constructor(transport: typeof Transport, config: StanConfig, { tls, log }: Host) {
    const target = {
      servers: config.hostport,
      login: { credentials: '', nkey: '', token: '', username: '', password: '' },
      tls: toTlsOptions(tls),
      expectsTls: hasDetails(tls),
      name: config.clientid,
    };
    const options = {
      connect: () => connectNats(transport, target),
      clusterId: config.clusterid,
      clientId: config.clientid,
      subjectTemplate: config.subjecttemplate,
      log,
    };
    this.#links = new LinkKeeper(signal => openSession(options, signal));
  }

  async send(alerts: readonly Alert[], { signal }: SendContext): Promise<void> {
    const failed = await sendEach(this.#links, alerts, (session, alert) => session.publish(alert), signal);
    settle(alerts.length, failed);
  }

  async probe(signal: Cancellation): Promise<void> {
    await this.#links.use(session => session.ping(), signal);
  }

  close(): Promise<void> {
    return this.#links.close();
  }
}

/** Whether TLS was set up for this output, which says that the server is likely to want it. */
function hasDetails({ ca, cert, verify, serverName }: TlsSettings): boolean {
  return Boolean(ca?.length || cert || serverName || !verify);
}
