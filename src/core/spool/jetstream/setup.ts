/** The streams and consumers on the server: made when they are missing, brought in line when they differ. */
import type { ConsumerConfig, JetStreamManager, StreamConfig, StreamInfo } from '@nats-io/jetstream';
import type { SpoolConfig } from '../../config/types.ts';
import type { Logger } from '../../contract.ts';
import type { Start } from '../contract.ts';
import type { Removed } from '../removed.ts';
import { fromToken, type Names, toToken } from './names.ts';

/** How long the server may wait for word of an alert before it gives it to another replica. */
export const ACK_WAIT_MS = 30_000;
/**
 * Alerts of one output in the hands of all replicas, those that wait for a retry among them. Each replica takes at most
 * some thousands.
 */
const MAX_ACK_PENDING = 50_000;
/** Within it the server drops an alert that it has already. Its memory for that grows with it. */
const DUPLICATE_WINDOW_MS = 120_000;

/** server/errors.json of nats-server. */
const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;
const CONSUMER_EXISTS = 10148;

type Wanted = Partial<StreamConfig> & { name: string; subjects: string[] };

const nanos = (ms: number) => ms * 1_000_000;

/** The stream of the alerts as the configuration has it. */
export function alertStream(config: SpoolConfig, names: Names): Wanted {
  const { maxBytes, maxAgeMs, overflow } = config;
  return {
    ...COMMON,
    name: names.alerts.stream,
    description: 'Alerts of Tiercel',
    subjects: [names.alerts.subject],
    num_replicas: config.jetstream!.replicas,
    max_bytes: maxBytes,
    max_age: nanos(maxAgeMs),
    discard: (overflow === 'reject' ? 'new' : 'old') as StreamConfig['discard'],
    duplicate_window: nanos(maxAgeMs > 0 ? Math.min(DUPLICATE_WINDOW_MS, maxAgeMs) : DUPLICATE_WINDOW_MS),
  };
}

/**
 * The stream of the dead letters as the configuration has it. Without a limit in bytes: NATS would set that room aside,
 * and refuse the stream where it has less.
 */
export function deadStream(config: SpoolConfig, names: Names): Wanted {
  const { maxCount, maxAgeMs } = config.deadLetters;
  return {
    ...COMMON,
    name: names.dead.stream,
    description: 'Dead letters of Tiercel',
    subjects: [names.dead.subjects],
    num_replicas: config.jetstream!.replicas,
    max_msgs: maxCount > 0 ? maxCount : -1,
    max_age: nanos(maxAgeMs),
    discard: 'old' as StreamConfig['discard'],
    duplicate_window: nanos(maxAgeMs > 0 ? Math.min(DUPLICATE_WINDOW_MS, maxAgeMs) : DUPLICATE_WINDOW_MS),
  };
}

const COMMON = {
  retention: 'limits' as StreamConfig['retention'],
  storage: 'file' as StreamConfig['storage'],
  allow_direct: true,
};

/** A stream of that name is there and cannot serve. The message is for users. */
export class UnfitStreamError extends Error {
  override readonly name = 'UnfitStreamError';
}

/** The settings in which a stream is not as it should be. */
export function differences(found: StreamConfig, wanted: Wanted): string[] {
  return Object.entries(wanted)
    .filter(
      ([key, value]) =>
        key !== 'description' && JSON.stringify(found[key as keyof StreamConfig]) !== JSON.stringify(value),
    )
    .map(([key]) => key);
}

/**
 * Makes the stream, or brings it in line. A server that does not allow the change is lived with as long as the stream
 * takes our alerts and keeps them.
 * @throws JetStreamApiError when the server refuses to make it, UnfitStreamError when it is of no use
 */
export async function ensureStream(
  manager: JetStreamManager,
  wanted: Wanted,
  log: Pick<Logger, 'info' | 'warn'>,
): Promise<StreamInfo> {
  const found = await findStream(manager, wanted.name);
  if (!found) {
    const made = await manager.streams.add(wanted);
    log.info({ stream: wanted.name, replicas: wanted.num_replicas }, 'stream made');
    return made;
  }
  const differ = differences(found.config, wanted);
  if (differ.length === 0) return found;
  try {
    const changed = await manager.streams.update(wanted.name, { ...found.config, ...wanted });
    log.info({ stream: wanted.name, changed: differ }, 'stream brought in line with the configuration');
    return changed;
  } catch (error) {
    const unfit = unfitness(found.config, wanted);
    if (unfit) throw new UnfitStreamError(unfit, { cause: error });
    log.warn(
      { stream: wanted.name, differ, error: (error as Error).message },
      'the stream differs from the configuration and cannot be changed; it is used as it is',
    );
    return found;
  }
}

/** Why a stream cannot serve at all. */
export function unfitness(found: StreamConfig, { name, subjects }: Wanted): string | undefined {
  if (found.retention !== 'limits')
    return `the stream ${name} has the retention ${found.retention}, not limits`;
  const missing = subjects.find(subject => !found.subjects.includes(subject));
  return missing && `the stream ${name} does not listen to ${missing}`;
}

export async function findStream(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (codeOf(error) === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

/** Makes the output's consumer when there is none; `start` says where it begins then, a number being a sequence. */
export async function ensureConsumer(
  manager: JetStreamManager,
  stream: string,
  output: string,
  start: Start | number,
): Promise<void> {
  const name = toToken(output);
  try {
    const { config } = await manager.consumers.info(stream, name);
    // The output was removed and is back before its time: its place is kept for good again.
    if (config.inactive_threshold) await setInactiveThreshold(manager, stream, config, 0);
    return;
  } catch (error) {
    if (codeOf(error) !== CONSUMER_NOT_FOUND) throw error;
  }
  try {
    await manager.consumers.add(stream, {
      durable_name: name,
      description: `Output ${output}`,
      ...from(start),
      ack_policy: 'explicit' as ConsumerConfig['ack_policy'],
      ack_wait: nanos(ACK_WAIT_MS),
      max_deliver: -1,
      max_ack_pending: MAX_ACK_PENDING,
    });
  } catch (error) {
    // Another replica was quicker, with another idea of where to start.
    if (codeOf(error) !== CONSUMER_EXISTS) throw error;
  }
}

function from(start: Start | number): Pick<ConsumerConfig, 'deliver_policy' | 'opt_start_seq'> {
  type Policy = ConsumerConfig['deliver_policy'];
  if (typeof start !== 'number') return { deliver_policy: (start === 'beginning' ? 'all' : 'new') as Policy };
  return { deliver_policy: 'by_start_sequence' as Policy, opt_start_seq: start };
}

/**
 * The server itself removes a consumer that nobody has pulled from for so long; 0: never. A replica that still has the
 * output, in the middle of a rollout, keeps it alive by pulling.
 */
export async function setInactiveThreshold(
  manager: JetStreamManager,
  stream: string,
  config: ConsumerConfig,
  ms: number,
): Promise<void> {
  const name = config.durable_name ?? config.name!;
  await manager.consumers.update(stream, name, { ...config, inactive_threshold: nanos(ms) });
}

/** Longer than a replica that still has the output is between two pulls. */
const LEAST_KEPT_MS = 1_000;

/** Consumers of outputs that are not named are left to be removed after `ms`. Returns the outputs that this is new for. */
export async function retainConsumers(
  manager: JetStreamManager,
  stream: string,
  outputs: ReadonlySet<string>,
  ms: number,
): Promise<Removed[]> {
  // 0 is for ever to the server.
  const keptMs = Math.max(ms, LEAST_KEPT_MS);
  const removed: Removed[] = [];
  for await (const info of manager.consumers.list(stream)) {
    const { name, config } = info;
    const output = fromToken(name);
    // Others may look into the stream too: theirs are no business of ours.
    if (!config.durable_name || toToken(output) !== name || outputs.has(output)) continue;
    if (config.description !== `Output ${output}` || config.inactive_threshold === nanos(keptMs)) continue;
    await setInactiveThreshold(manager, stream, config, keptMs);
    removed.push({ output, alerts: info.num_pending + info.num_ack_pending, keptMs });
  }
  return removed;
}

/** Whether an error of the API or of a pull request says that there is no such stream or consumer. */
export function isMissing(error: unknown): boolean {
  const code = codeOf(error);
  if (code === STREAM_NOT_FOUND || code === CONSUMER_NOT_FOUND) return true;
  return /(consumer|stream) not found|consumer deleted/i.test((error as Error).message);
}

/** The server's own number of an API error, or the status of what it answers a pull request with. */
export function codeOf(error: unknown): number | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'number' ? code : undefined;
}
