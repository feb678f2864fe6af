/** Looks at the log on a NATS server without a daemon, and changes nothing. */
import type { SpoolConfig } from '../../config/types.ts';
import { connectNats } from '../../nats/connect.ts';
import { toFailure } from '../../nats/failures.ts';
import { loadTransport } from '../../nats/transport.ts';
import { fromToken, namesOf } from './names.ts';
import { toTarget } from './open.ts';
import { alertStream, deadStream, differences, findStream, unfitness } from './setup.ts';

export interface Finding {
  level: 'ok' | 'warn' | 'fail';
  /** What was looked at. */
  part: 'server' | 'stream' | 'dead letters' | 'consumer';
  message: string;
}

/** What there is and what differs from the configuration. Never throws: what cannot be reached is a finding. */
export async function inspectJetStream(config: SpoolConfig, timeoutMs: number): Promise<Finding[]> {
  const [transport, { jetstreamManager }] = await Promise.all([
    loadTransport(),
    import('@nats-io/jetstream'),
  ]);
  const findings: Finding[] = [];
  const add = (level: Finding['level'], part: Finding['part'], message: string) =>
    findings.push({ level, part, message });
  let connection: Awaited<ReturnType<typeof connectNats>> | undefined;
  try {
    connection = await connectNats(transport, toTarget(config)());
    const { version = 'unknown', cluster } = connection.info ?? {};
    if (!connection.info?.jetstream) {
      add('fail', 'server', 'the server runs without JetStream');
      return findings;
    }
    add(
      'ok',
      'server',
      `nats-server ${version}${cluster ? ` of the cluster ${cluster}` : ''} answers, with JetStream`,
    );
    const manager = await jetstreamManager(connection, { timeout: timeoutMs, checkAPI: false });
    const names = namesOf(config.jetstream!.stream);
    const streams = [
      ['stream', alertStream(config, names)],
      ['dead letters', deadStream(config, names)],
    ] as const;
    for (const [part, wanted] of streams) {
      const found = await findStream(manager, wanted.name);
      if (!found) {
        add('warn', part, `there is no stream ${wanted.name} yet; the daemon makes it when it starts`);
        continue;
      }
      const { messages, bytes } = found.state;
      const unfit = unfitness(found.config, wanted);
      const differ = differences(found.config, wanted);
      const lagging = (found.cluster?.replicas ?? []).filter(({ current }) => !current).length;
      if (unfit) add('fail', part, unfit);
      else if (differ.length > 0)
        add('warn', part, `${wanted.name} differs from the configuration in ${differ.join(', ')}`);
      else if (lagging > 0) add('warn', part, `${wanted.name}: ${lagging} of its copies are behind`);
      else
        add(
          'ok',
          part,
          `${wanted.name} is as configured, ${messages} messages in ${Math.ceil(bytes / 2 ** 20)} MiB`,
        );
      if (part === 'dead letters') continue;
      for await (const info of manager.consumers.list(wanted.name)) {
        if (!info.config.durable_name) continue;
        const removed = info.config.inactive_threshold
          ? '; its output was removed, it goes after a while'
          : '';
        const { num_pending: unread, num_ack_pending: inHand } = info;
        add('ok', 'consumer', `${fromToken(info.name)}: ${unread} unread, ${inHand} in hand${removed}`);
      }
    }
  } catch (error) {
    add('fail', findings.length === 0 ? 'server' : 'stream', toFailure(error).message);
  } finally {
    await connection?.close().catch(() => undefined);
  }
  return findings;
}
