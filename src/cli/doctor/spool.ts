/** Whether the log on NATS can be reached from here and is as configured. */
import type { Config } from '../../core/config/types.ts';
import { createRedactor } from '../../core/redact.ts';
import { inspectJetStream } from '../../core/spool/jetstream/inspect.ts';
import { visible } from '../text.ts';
import type { Check } from './check.ts';

const ADVICE: Record<string, string> = {
  server: 'check spool.servers, the credentials, and whether this machine may connect',
  stream: 'the daemon brings it in line when it starts, if its credentials allow that',
};

export async function checkSpool({ spool, secrets }: Config, timeoutMs: number): Promise<Check[]> {
  const redact = createRedactor(secrets);
  const findings = await inspectJetStream(spool, timeoutMs);
  return findings.map(({ level, part, message }) => ({
    name: `log on NATS, ${part}`,
    level,
    message: visible(redact(message)),
    ...(level !== 'ok' && ADVICE[part] && { advice: ADVICE[part] }),
  }));
}
