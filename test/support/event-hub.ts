/**
 * A double of Event Hubs' REST API, made after its description and strict where that is:
 * learn.microsoft.com/rest/api/eventhub/send-batch-events and learn.microsoft.com/rest/api/eventhub/generate-sas-token.
 */
import { createHmac } from 'node:crypto';
import { answer, HttpSink, type Received } from './http-sink.ts';

const MAX_BYTES = 1024 * 1024;

export interface EventHubOptions {
  /** Certificate and key in PEM: the service is never without TLS. */
  tls: { cert: string | Buffer; key: string | Buffer };
  hub: string;
  /** `host` is that of the resource in signatures. */
  policy: { host: string; name: string; key: string };
  /** Tokens of Entra that are taken. */
  tokens?: string[];
  /** Milliseconds since the epoch. */
  now(): number;
}

export class EventHub {
  /** The bodies of the events, in the order they came in. */
  readonly events: string[] = [];
  readonly sink: HttpSink;
  readonly #options: EventHubOptions;

  private constructor(sink: HttpSink, options: EventHubOptions) {
    this.sink = sink;
    this.#options = options;
  }

  static async listen(options: EventHubOptions): Promise<EventHub> {
    const hub = new EventHub(await HttpSink.listen(undefined, options.tls), options);
    hub.sink.reply = (request, socket) => {
      const status = hub.#take(request);
      const body = status === 201 ? '' : `<Error><Code>${status}</Code><Detail>no</Detail></Error>`;
      socket.write(answer(status, body));
    };
    return hub;
  }

  #take({ method, target, headers, body }: Received): number {
    const { pathname, searchParams } = new URL(target, 'https://hub');
    if (method !== 'POST' || pathname !== `/${this.#options.hub}/messages`) return 404;
    if (searchParams.get('api-version') !== '2014-01') return 400;
    if (!this.#letsIn(headers.authorization ?? '')) return 401;
    if (Buffer.byteLength(body) > MAX_BYTES) return 413;
    if (headers['content-type'] !== 'application/vnd.microsoft.servicebus.json') return 400;
    const found: unknown = JSON.parse(body);
    if (!Array.isArray(found) || !found.every(event => typeof event?.Body === 'string')) return 400;
    this.events.push(...found.map(({ Body }) => Body as string));
    return 201;
  }

  #letsIn(authorization: string): boolean {
    const { policy, hub, tokens = [], now } = this.#options;
    if (authorization.startsWith('Bearer ')) return tokens.includes(authorization.slice('Bearer '.length));
    const [scheme, parameters = ''] = authorization.split(' ');
    if (scheme !== 'SharedAccessSignature') return false;
    const given = new URLSearchParams(parameters);
    const [resource, expires] = [given.get('sr') ?? '', given.get('se') ?? ''];
    const text = `${encodeURIComponent(resource)}\n${expires}`;
    const signature = createHmac('sha256', policy.key).update(text).digest('base64');
    return (
      `https://${policy.host}/${hub}`.startsWith(resource) &&
      resource !== '' &&
      given.get('skn') === policy.name &&
      given.get('sig') === signature &&
      Number(expires) * 1000 > now()
    );
  }
}
