/** Shows what an output sends: opens it with its example and takes down the request instead of sending it. */
import { sealAlert } from '../../src/core/alert/alert.ts';
import { rawNumber } from '../../src/core/alert/json.ts';
import { parseAlert } from '../../src/core/alert/parse.ts';
import type { Host, HttpClient, HttpRequest, OutputDefinition } from '../../src/core/contract.ts';
import { identityAnswer, serveMetadata } from './identity.ts';

await serveMetadata();

/** A real alert of Falco's standard rules, its uuid and time fixed. */
const SAMPLE = {
  output:
    '09:46:01.727418112: Notice A shell was spawned in a container with an attached terminal (user=root k8s_ns=payments k8s_pod_name=ledger-0 process=bash parent=runc)',
  priority: 'Notice',
  rule: 'Terminal shell in container',
  time: '2026-11-20T09:46:01.727418112Z',
  output_fields: {
    'container.id': '4e2b1f8a9c07',
    // Nanoseconds, as Falco sends them: more digits than a double has.
    'evt.time': rawNumber('1795167961727418112'),
    'k8s.ns.name': 'payments',
    'k8s.pod.name': 'ledger-0',
    'proc.name': 'bash',
    'user.name': 'root',
  },
  source: 'syscall',
  tags: ['container', 'mitre_execution', 'shell'],
  hostname: 'node-3',
};

/** The request for the sample alert; undefined for outputs that do not send over HTTP. */
export async function requestOf(definition: OutputDefinition): Promise<HttpRequest | undefined> {
  if (!definition.http) return undefined;
  let sent: HttpRequest | undefined;
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const http: HttpClient = {
    async send({ sign, ...request }, signal) {
      const identity = identityAnswer(request);
      if (identity) return identity;
      sent = (await sign?.(request, signal)) ?? request;
      return { status: 200, headers: {}, body: '{}' };
    },
  };
  const host: Host = {
    id: definition.name,
    http,
    connect: () => http,
    outputs: () => [definition.name],
    customFields: () => [],
    templatedFields: () => [],
    tls: { verify: true },
    clock: { now: () => Date.parse(SAMPLE.time), monotonic: () => performance.now(), random: () => 0.5 },
    log: silent,
    templateFailed() {},
  };
  const { draft } = parseAlert(JSON.stringify(SAMPLE));
  if (!draft) throw new Error('the sample is no alert');
  const alert = sealAlert({ ...draft, uuid: '6f0cf1b8-7c1e-4d0b-9a53-2f4f6d0e8b11' });
  const output = await definition.open(definition.keys.parse(definition.example), host);
  await output.send([alert], { signal: new AbortController().signal, attempt: 1 });
  await output.close?.();
  return sent;
}
