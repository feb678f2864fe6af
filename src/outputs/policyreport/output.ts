import { isJsonObject, type JsonObject, parseExact } from '../../core/alert/json.ts';
import type {
  Alert,
  Cancellation,
  Host,
  HttpRequest,
  HttpResponse,
  Output,
  SendContext,
} from '../../core/contract.ts';
import { PermanentError, RetriableError } from '../../core/errors.ts';
import { type Cluster, openCluster } from '../_kit/cluster.ts';
import { judge } from '../_kit/http.ts';
import { settle } from '../_kit/settle.ts';
import { addResults, namespaceOf, newReport, reportName, toResult } from './report.ts';

const API = '/apis/wgpolicyk8s.io/v1alpha2';
/** More than etcd takes for one object. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** How long it is remembered whether a namespace is there. */
const NAMESPACE_MS = 30_000;
const MAX_NAMESPACES = 10_000;
/** Writers that came in between, before core is to wait. */
const MAX_CONFLICTS = 5;

interface Config {
  kubeconfig: string;
  falconamespace: string;
  maxevents: number;
  prunebypriority: boolean;
}

/**
 * Reports are read, added to and written back under their resourceVersion, as falcosidekick does it and with the rights
 * that it needs. Server-side apply has no way to add to them: the kinds declare their results as one value, without keys
 * to merge by, so the last writer's would replace all others.
 */
export class PolicyReports implements Output {
  readonly #config: Config;
  readonly #host: Host;
  readonly #cluster: Cluster;
  readonly #namespaces = new Map<string, { there: boolean; until: number }>();

  constructor(config: Config, host: Host) {
    this.#config = config;
    this.#host = host;
    this.#cluster = openCluster(config.kubeconfig, host);
  }

  /** One read and one write per report, however many alerts are for it. */
  async send(alerts: readonly Alert[], context: SendContext): Promise<void> {
    const failed = new Map<number, RetriableError | PermanentError>();
    for (const [wanted, positions] of Map.groupBy(alerts.keys(), at => namespaceOf(alerts[at]!))) {
      try {
        const namespace = await this.#placeOf(wanted, context.signal);
        const results = positions.map(at => toResult(alerts[at]!, namespace));
        await this.#report(namespace, results, context);
      } catch (error) {
        if (!(error instanceof RetriableError || error instanceof PermanentError)) throw error;
        for (const at of positions) failed.set(at, error);
      }
    }
    settle(alerts.length, failed);
  }

  /** Whether this account may read the reports of the cluster, and whether there are such things at all. */
  async probe(signal: Cancellation): Promise<void> {
    judge(await this.#get(`${API}/clusterpolicyreports?limit=1`, signal), this.#host.clock.now());
  }

  /** The namespace of the report; empty for that of the cluster. */
  async #placeOf(wanted: string, signal: Cancellation): Promise<string> {
    if (wanted === '' || (await this.#isThere(wanted, signal))) return wanted;
    return this.#config.falconamespace || this.#cluster.namespace || 'default';
  }

  async #isThere(namespace: string, signal: Cancellation): Promise<boolean> {
    const now = this.#host.clock.now();
    const known = this.#namespaces.get(namespace);
    if (known && now < known.until) return known.there;
    const answer = await this.#get(`/api/v1/namespaces/${namespace}`, signal);
    const there = answer.status !== 404;
    // Who may not look at namespaces can still write into them.
    if (there && answer.status !== 403) judge(answer, now);
    if (this.#namespaces.size >= MAX_NAMESPACES) this.#namespaces.clear();
    this.#namespaces.set(namespace, { there, until: now + NAMESPACE_MS });
    return there;
  }

  async #report(namespace: string, results: JsonObject[], context: SendContext): Promise<void> {
    const { clock } = this.#host;
    const path = `${API}${namespace === '' ? '/clusterpolicyreports' : `/namespaces/${namespace}/policyreports`}`;
    const named = `${path}/${reportName(namespace)}`;
    for (let conflicts = 0; ; conflicts++) {
      const found = await this.#get(named, context.signal);
      const isNew = found.status === 404;
      if (!isNew) judge(found, clock.now());
      const report = isNew ? newReport(namespace) : readReport(found);
      const next = addResults(report, results, this.#config, context.attempt > 1);
      if (!next) return;
      const answer = await this.#write(isNew ? 'POST' : 'PUT', isNew ? path : named, next, context.signal);
      // Changed since it was read (its resourceVersion is another), made by somebody else, or taken away.
      const isConflict = answer.status === 409 || (answer.status === 404 && !isNew);
      if (!isConflict) {
        if (isNew) this.#checkPlace(namespace, answer);
        return judge(answer, clock.now());
      }
      if (conflicts === MAX_CONFLICTS) {
        throw new RetriableError('others keep changing the report', { reason: 'server_error' });
      }
    }
  }

  /**
   * The next try finds another place for what was for a namespace that is no more.
   * @throws RetriableError when there is no place for new reports
   */
  #checkPlace(namespace: string, { status, body }: HttpResponse): void {
    // Forbidden for a cause that passes; the account may do it. See k8s.io/api/core/v1, NamespaceTerminatingCause.
    const isEnding = status === 403 && body.includes('"NamespaceTerminating"');
    if (!isEnding && status !== 404) return;
    const isGone = isEnding || body.includes('"namespaces"');
    if (isGone) {
      this.#namespaces.set(namespace, { there: false, until: this.#host.clock.now() + NAMESPACE_MS });
    }
    const missing = isGone
      ? 'the namespace is going away'
      : 'the cluster has no policy reports: install their CRDs';
    throw new RetriableError(missing, { reason: 'client_error' });
  }

  #get(path: string, signal: Cancellation): Promise<HttpResponse> {
    const url = this.#cluster.server + path;
    const headers = { accept: 'application/json' };
    const request: HttpRequest = { method: 'GET', url, headers, body: undefined, setup: true };
    return this.#cluster.http.send({ ...request, maxAnswerBytes: MAX_ANSWER_BYTES }, signal);
  }

  #write(method: 'POST' | 'PUT', path: string, report: JsonObject, signal: Cancellation) {
    const url = this.#cluster.server + path;
    const headers = { 'content-type': 'application/json' };
    return this.#cluster.http.send({ method, url, headers, body: JSON.stringify(report) }, signal);
  }
}

/** @throws RetriableError when the answer is none: written back, it would empty the report */
function readReport({ body }: HttpResponse): JsonObject {
  let cause: unknown;
  try {
    const report = parseExact(body || '{}');
    if (isJsonObject(report)) return report;
  } catch (error) {
    cause = error;
  }
  throw new RetriableError('the answer is no report', { reason: 'server_error', cause });
}
