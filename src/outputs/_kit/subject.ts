/** Subjects of NATS and NATS Streaming, made from a template and an alert. */
import type { Alert } from '../../core/contract.ts';

/** falcosidekick's default. */
export const DEFAULT_SUBJECT = 'falco.<priority>.<rule>';

// The server closes the connection on a protocol line over 4096 bytes. Two template parts of these sizes stay below.
const MAX_TOKEN = 512;
const MAX_TEMPLATE = 1024;

/** A rule name as one subject token: lower case, each run of other characters one `_`, none at the ends. */
export function toToken(text: string): string {
  const slug = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .slice(0, MAX_TOKEN)
    .replace(/^_+|_+$/g, '');
  // An empty token makes the subject invalid: the server would refuse rules named in other scripts.
  return slug === '' ? '_' : slug;
}

/** Fills `<priority>` and `<rule>`; everything else stays literally, as in falcosidekick. */
export function toSubject(template: string, alert: Pick<Alert, 'priority' | 'rule'>): string {
  return template
    .replaceAll('<priority>', alert.priority.toLowerCase())
    .replaceAll('<rule>', () => toToken(alert.rule));
}

/** What is wrong with a template; undefined when alerts can be published to what it makes. */
export function subjectProblem(template: string): string | undefined {
  if (template.length > MAX_TEMPLATE) return `expected at most ${MAX_TEMPLATE} characters`;
  if (template.split('<rule>').length > 5) return 'expected <rule> at most four times';
  const tokens = toSubject(template, { priority: 'Debug', rule: 'rule' }).split('.');
  if (tokens.some(token => token === '')) return 'expected a subject without empty parts between its dots';
  if (tokens.some(token => token === '*' || token === '>')) return 'expected a subject without wildcards';
  if (tokens.some(token => /[\s\0]/.test(token))) return 'expected a subject without blanks';
  return undefined;
}
