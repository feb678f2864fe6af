/** Outputs to AWS services, and to others that speak their protocols: signed requests over the host's HTTP client. */
import { z } from 'zod';
import type {
  Alert,
  BatchLimits,
  Cancellation,
  Category,
  Host,
  HttpRequest,
  HttpResponse,
  Output,
  OutputDefinition,
  TemplateBody,
} from '../../../core/contract.ts';
import { PermanentError } from '../../../core/errors.ts';
import { type Batching, batchingLimits } from '../batching.ts';
import { sendParts, untilAborted } from '../settle.ts';
import { openTokenService } from '../token-service.ts';
import { clockSkew, isKeyEnded, judgeAws } from './answers.ts';
import { ambientRegion, keySource } from './credentials.ts';
import { logIdentity } from './identity.ts';
import { type AwsSettings, awsKeys, keyProblems } from './settings.ts';
import { type AwsKeys, signRequest } from './sign.ts';

/** A request as an output describes it; the rest is signing. Header names are lower case. */
export type AwsRequest = Omit<HttpRequest, 'sign'>;

type Requested = AwsRequest | Promise<AwsRequest>;

/** What a request may need besides alerts and settings. */
export interface AwsContext {
  region: string;
  /** Milliseconds since the epoch. */
  now: number;
}

type Config<K extends z.ZodRawShape> = z.output<z.ZodObject<K>>;

/** What an output to AWS consists of. */
export interface AwsOutputDefinition<K extends z.ZodRawShape> {
  name: string;
  title: string;
  category: Category;
  docs: string;
  /** All keys, those of `settings.ts` among them; with `batching` where `batch` is there. */
  keys: K;
  /** The keys that turn the output on when all of them are set. */
  enabledBy: (keyof K & string) | readonly (keyof K & string)[];
  /** The name that the service signs with. */
  service: string;
  /** The region in the settings' own addresses, which wins over `region`. */
  regionOf?(config: Config<K>): string | undefined;
  /** Pure; a promise where packing takes its time. */
  request(alert: Alert, config: Config<K>, context: AwsContext): Requested;
  /** One request for several alerts. The same holds. */
  requestBatch?(alerts: readonly Alert[], config: Config<K>, context: AwsContext): Requested;
  /** For alerts that one request cannot hold: those that each of several takes. Pure. */
  parts?(alerts: readonly Alert[]): readonly (readonly Alert[])[];
  /**
   * For 2xx answers that say more. `batched`: it answers `requestBatch`.
   * @throws RetriableError | PermanentError | PartialError
   */
  verdict?(response: HttpResponse, alerts: readonly Alert[], batched: boolean): void;
  /** What the API takes at once, when `batching` is on. */
  batch?: Pick<BatchLimits, 'items' | 'bytes'>;
  /** Instead of `batch`, see the contract. */
  batchBy?(config: Config<K>): BatchLimits | undefined;
  /** Makes ready what the first alert needs; called each time the output is opened. */
  prepare?(config: Config<K>, send: AwsSend, context: AwsContext): Promise<void>;
  check?(config: Config<K>): { path: string; message: string; hint?: string }[];
  /** See the contract. */
  templateBody?(config: Config<K>): TemplateBody;
  example: z.input<z.ZodObject<K>>;
}

/** Sends a signed request and gives the answer, whatever its status. */
export type AwsSend = (request: AwsRequest, signal: Cancellation) => Promise<HttpResponse>;

/** Makes an output of its description: adds signing, judging the answer, batches and the probe. */
export function defineAwsOutput<const K extends z.ZodRawShape>(
  definition: AwsOutputDefinition<K>,
): OutputDefinition<z.ZodObject<K>> {
  const { name, title, category, docs, keys, batch, check, templateBody, example } = definition;
  const needed = [definition.enabledBy].flat() as string[];
  const settings = (config: Config<K>) => config as unknown as AwsSettings & { batching?: Batching };
  return {
    name,
    title,
    category,
    docs,
    keys: z.object(keys),
    inherits: Object.keys(awsKeys).filter(key => key in keys),
    http: true,
    enabled: config => needed.every(key => (config as Record<string, unknown>)[key] !== ''),
    check: config => [...keyProblems(settings(config)), ...(check?.(config) ?? [])],
    ...(batch && {
      batchBy: config => {
        const { batching } = settings(config);
        return batching && batchingLimits(batching, batch);
      },
    }),
    ...(definition.batchBy && { batchBy: definition.batchBy }),
    templateBody,
    open: (config, host) => openAws(definition, config, settings(config), host),
    example,
  };
}

async function openAws<K extends z.ZodRawShape>(
  definition: AwsOutputDefinition<K>,
  config: Config<K>,
  settings: AwsSettings,
  host: Host,
): Promise<Output> {
  const { service, request, requestBatch, verdict } = definition;
  const { clock } = host;
  const region = definition.regionOf?.(config) || settings.region || (await ambientRegion());
  if (!region) {
    throw new PermanentError('no region is set: neither `region` nor AWS_REGION nor the profile has one', {
      reason: 'other',
    });
  }
  const keys = await keySource(settings, region, clock.now, openTokenService(host));
  /** Those used last: no answer may show them. */
  let used: AwsKeys | undefined;
  /** By how much the clock that signatures go by is ahead of ours. */
  let skewMs = 0;
  const signer = (name: string) => async (unsigned: HttpRequest, until: Cancellation) => {
    used = await untilAborted(keys.get(), until);
    return signRequest(unsigned, used, { region, service: name }, clock.now() + skewMs);
  };
  const sign = signer(service);
  const send: AwsSend = async (message, signal) => {
    const response = await host.http.send({ ...message, sign }, signal);
    skewMs = clockSkew(response, clock.now()) ?? skewMs;
    return response;
  };
  const context = () => ({ region, now: clock.now() });
  const closing = new AbortController();
  await definition.prepare?.(config, send, context());
  if (settings.checkidentity) {
    void logIdentity(
      { http: openTokenService(host), log: host.log, region, sign: signer('sts') },
      closing.signal,
    );
  }

  async function sendTogether(alerts: readonly Alert[], signal: Cancellation): Promise<void> {
    const batched = alerts.length > 1 && requestBatch !== undefined;
    const message = batched
      ? requestBatch(alerts, config, context())
      : request(alerts[0]!, config, context());
    const response = await send(await message, signal);
    if (used && isKeyEnded(response)) keys.drop(used);
    judgeAws(
      response,
      clock.now(),
      used ? [used.secretAccessKey, used.sessionToken ?? ''].filter(Boolean) : [],
    );
    verdict?.(response, alerts, batched);
  }

  return {
    async send(alerts, { signal }) {
      const parts = definition.parts?.(alerts) ?? [alerts];
      if (parts.length === 1) await sendTogether(alerts, signal);
      else await sendParts(alerts, parts, part => sendTogether(part, signal));
    },
    /** Credentials are found, and the service's address answers anything. */
    async probe(signal) {
      await untilAborted(keys.get(), signal);
      const { origin } = new URL((await request(PROBE, config, context())).url);
      await host.http.send({ method: 'GET', url: `${origin}/`, headers: {}, body: undefined }, signal);
    },
    async close() {
      closing.abort();
    },
  };
}

/** Stands in for an alert where only the address of the request counts. */
const PROBE: Alert = {
  uuid: '00000000-0000-4000-8000-000000000000',
  output: '',
  priority: 'Debug',
  rule: '',
  time: '1970-01-01T00:00:00Z',
  source: '',
  tags: [],
  hostname: '',
  outputFields: {},
  extra: {},
  json: '{}',
  bytes: Buffer.from('{}'),
  byteLength: 2,
};
