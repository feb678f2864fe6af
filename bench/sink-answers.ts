/**
 * What each kind of far end answers when all is well. The bodies matter: a client that does not read them cannot use its
 * connection again.
 */
interface Answer {
  status: number;
  type?: string;
  body?: string;
}

const ANSWERS = {
  webhook: { status: 200 },
  // api.slack.com/messaging/webhooks: "ok" as text.
  slack: { status: 200, type: 'text/html', body: 'ok' },
  mattermost: { status: 200, type: 'text/plain', body: 'ok' },
  rocketchat: { status: 200, type: 'application/json', body: '{"success":true}' },
  teams: { status: 200, type: 'text/plain', body: '1' },
  discord: { status: 204 },
  loki: { status: 204 },
  cloudevents: { status: 202 },
  alertmanager: { status: 200 },
  elasticsearch: {
    status: 201,
    type: 'application/json',
    body: '{"_index":"falco","_id":"1","result":"created","_shards":{"total":2,"successful":1,"failed":0}}',
  },
} satisfies Record<string, Answer>;

export type HttpSinkKind = keyof typeof ANSWERS;

/** The answer of a kind as bytes. */
export function answerOf(kind: HttpSinkKind): Buffer {
  const { status, type, body = '' }: Answer = ANSWERS[kind];
  return toAnswer(status, body, type ? [`Content-Type: ${type}`] : []);
}

/** An answer as bytes; without a length where there is no body by definition. */
export function toAnswer(status: number, body: string, headers: readonly string[] = []): Buffer {
  const length = status === 204 ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return Buffer.from(`${[`HTTP/1.1 ${status} Answer`, ...headers, ...length].join('\r\n')}\r\n\r\n${body}`);
}
