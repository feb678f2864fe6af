/**
 * The keys that the OTLP outputs share, and what they mean: falcosidekick's own, those headers that OpenTelemetry
 * writes as text, and the variables of its SDKs that still have a meaning here
 * (https://opentelemetry.io/docs/specs/otel/protocol/exporter).
 */
import type { z } from 'zod';
import type { TemplateBody } from '../../../core/contract.ts';
import { flag, integer, oneOf, pairs, secret, url } from '../../../core/keys.ts';
import { percentDecoded } from '../../../core/url-parts.ts';

/** Keys of every OTLP output. @param path the path that its endpoint has by default, `/v1/traces` */
export function otlpKeys(path: string) {
  return {
    endpoint: url(
      `URL of the receiver; setting it turns the output on. For HTTP with the path (\`${path}\` where it has none), for gRPC host and port.`,
    ),
    protocol: oneOf('Protocol to speak.', ['http/protobuf', 'grpc'], 'http/protobuf', {
      otherwise: 'http/protobuf',
    }),
    timeout: integer(
      'Longest time for one export, in milliseconds; `delivery.timeout` ends it as well. 0: only that.',
      10_000,
      { max: 600_000 },
    ),
    headers: secret('Headers as `name=value,other=value`, values percent-encoded where they have to be.'),
    tls: flag(
      'For gRPC: speaks TLS although the endpoint starts with `http://`. Over HTTP the endpoint alone decides.',
    ),
    compression: oneOf('How requests are compressed.', ['none', 'gzip'], 'none'),
    extraenvvars: pairs(
      'Variables of the OpenTelemetry SDK for this output alone, over those of the process: OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_COMPRESSION (also with TRACES_, METRICS_ or LOGS_ in front of the last word), OTEL_METRIC_EXPORT_INTERVAL. Others have no effect.',
      { secret: true },
    ),
  };
}

/** The keys as the schema gives them. */
export type OtlpConfig = z.output<z.ZodObject<ReturnType<typeof otlpKeys>>>;

type Env = Readonly<Record<string, string | undefined>>;

/** The settings of one output, ready for use. */
export interface OtlpSettings {
  /** Where to post, or for gRPC where to connect. */
  url: string;
  grpc: boolean;
  /** `tls` is on, and what is sent is not protected. */
  ignoresTls: boolean;
  gzip: boolean;
  /** Undefined: no limit of its own. */
  timeoutMs: number | undefined;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  /** Attributes of the resource besides those of the output. */
  resource: readonly (readonly [string, string])[];
  /** Milliseconds between exports of counters; undefined when no variable says. */
  intervalMs: number | undefined;
}

/** What the keys and variables come to. `name` is the section: `traces`. */
export function readSettings(name: string, config: OtlpConfig, env: Env = process.env): OtlpSettings {
  const extra = new Map(
    Object.entries(config.extraenvvars).map(([variable, value]) => [variable.toUpperCase(), value]),
  );
  const variable = (text: string) => extra.get(text) ?? env[text] ?? '';
  const exporter = (word: string) =>
    variable(`OTEL_EXPORTER_OTLP_${name.toUpperCase()}_${word}`) || variable(`OTEL_EXPORTER_OTLP_${word}`);
  const target = new URL(config.endpoint);
  const grpc = config.protocol === 'grpc';
  if (config.tls && grpc) target.protocol = 'https:';
  if (!grpc && target.pathname === '/') target.pathname = `/v1/${name}`;
  const interval = Number(variable('OTEL_METRIC_EXPORT_INTERVAL'));
  return {
    url: grpc ? target.origin : target.href,
    grpc,
    ignoresTls: config.tls && target.protocol === 'http:',
    gzip: config.compression === 'gzip' || exporter('COMPRESSION').trim().toLowerCase() === 'gzip',
    timeoutMs: config.timeout || undefined,
    headers: Object.fromEntries(
      [...parseBaggage(exporter('HEADERS')).pairs, ...parseBaggage(config.headers).pairs].map(
        ([header, value]) => [header.toLowerCase(), value],
      ),
    ),
    resource: parseBaggage(variable('OTEL_RESOURCE_ATTRIBUTES')).pairs,
    intervalMs: Number.isFinite(interval) && interval > 0 ? interval : undefined,
  };
}

/** For `check`: what of the keys cannot be used. */
export function settingsProblems(config: OtlpConfig): { path: string; message: string }[] {
  const { pairs: headers, bad } = parseBaggage(config.headers);
  const isName = (name: string) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const isValue = (value: string) => !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value);
  if (bad === 0 && headers.every(([name, value]) => isName(name) && isValue(value))) return [];
  return [{ path: 'headers', message: 'expected name=value, with commas between several' }];
}

/** A body of the user's own is OTLP's form in JSON, which goes over HTTP only. */
export function templateBodyOf({ protocol }: Pick<OtlpConfig, 'protocol'>): TemplateBody {
  return protocol === 'grpc'
    ? { refused: 'gRPC takes no text; `protocol: http/protobuf` does, as JSON' }
    : 'request';
}

/**
 * Reads `name=value,other=value`, values percent-encoded: the form of W3C Baggage that OpenTelemetry's variables have.
 * `bad` counts the pieces that are none.
 */
function parseBaggage(text: string): { pairs: [string, string][]; bad: number } {
  const pieces = text.split(',').filter(piece => piece.trim() !== '');
  const found = pieces.flatMap((piece): [string, string][] => {
    const equals = piece.indexOf('=');
    const name = piece.slice(0, Math.max(0, equals)).trim();
    return name === '' ? [] : [[name, percentDecoded(piece.slice(equals + 1).trim())]];
  });
  return { pairs: found, bad: pieces.length - found.length };
}
