/** Outputs that export each alert as one item over OTLP. */
import { z } from 'zod';
import {
  type Alert,
  type BatchLimits,
  type Category,
  defineOutput,
  type OutputDefinition,
} from '../../../core/contract.ts';
import { PermanentError } from '../../../core/errors.ts';
import type { Message } from '../protobuf.ts';
import { createExporter } from './exporter.ts';
import type { Signal } from './messages.ts';
import { type OtlpConfig, otlpKeys, readSettings, settingsProblems, templateBodyOf } from './settings.ts';

type Keys<K extends z.ZodRawShape> = ReturnType<typeof otlpKeys> & K;
type Config<K extends z.ZodRawShape> = z.output<z.ZodObject<K>>;

/** What such an output consists of. */
export interface OtlpOutputDefinition<K extends z.ZodRawShape> {
  name: string;
  title: string;
  category: Category;
  docs: string;
  /** Keys beside those of every OTLP output. */
  keys: K;
  signal: Signal;
  /** Name of the instrumentation scope. */
  scope: string;
  /** What goes together, unless `synced` is set. */
  batch: BatchLimits;
  /** See the contract. */
  takes?(alert: Alert): boolean;
  /** The item for an alert; `now` in milliseconds since the epoch. Pure. */
  toItem(alert: Alert, config: Config<K>, now: number): Message;
}

/** falcosidekick's version of the resource. */
const VERSION = 'v0.1.0';

/** Makes an output of its description: adds the keys, the exporter, and judging what was refused. */
export function defineOtlpOutput<const K extends z.ZodRawShape>(
  definition: OtlpOutputDefinition<K>,
): OutputDefinition<z.ZodObject<Keys<K>>> {
  const { name, title, category, docs, keys, signal, scope, batch, takes, toItem } = definition;
  const path = `/v1/${signal.name}`;
  const shared = (config: unknown) => config as OtlpConfig & { synced?: boolean };
  const own = (config: unknown) => config as Config<K>;
  return defineOutput<z.ZodObject<Keys<K>>>({
    name,
    title,
    category,
    docs,
    http: true,
    keys: z.object({ ...otlpKeys(path), ...keys }),
    enabled: config => shared(config).endpoint !== '',
    check: config => settingsProblems(shared(config)),
    filtersTestRule: true,
    takes,
    batchBy: config => (shared(config).synced ? undefined : batch),
    templateBody: config => templateBodyOf(shared(config)),
    async open(config, host) {
      const exporter = createExporter(signal, VERSION, readSettings(signal.name, shared(config)), host);
      return {
        async send(alerts, { signal: limit }) {
          const items = alerts.map(alert => toItem(alert, own(config), host.clock.now()));
          const refused = await exporter.export(scope, items, limit);
          if (refused) throw new PermanentError(refused.message, { reason: 'payload' });
        },
        probe: limit => exporter.probe(limit),
        close: async () => exporter.close(),
      };
    },
    example: { endpoint: `http://collector.example:4318${path}` } as z.input<z.ZodObject<Keys<K>>>,
  });
}
