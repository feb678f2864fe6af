/** Helm and kubeconform as the tests of the chart use them. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { type Outcome, runProgram } from '../run-program.ts';
import { cacheFolder } from './process.ts';

/** The versions that scripts/services.sh builds. */
const HELM_VERSION = '3.22.0';
const KUBECONFORM_VERSION = '0.8.0';
/** Where Helm is, when it is there. */
export const helmProgram = join(cacheFolder(), `helm-${HELM_VERSION}`, 'helm');
const kubeconformFolder = join(cacheFolder(), `kubeconform-${KUBECONFORM_VERSION}`);

export const CHART = fileURLToPath(new URL('../../../charts/tiercel', import.meta.url));

/** Why there is no Helm; undefined when there is one. */
export function missingHelm(): string | undefined {
  return existsSync(helmProgram) ? undefined : `Helm ${HELM_VERSION} is not there`;
}

/** Why objects cannot be held against the schemas of Kubernetes; undefined when they can. */
export function missingKubeconform(): string | undefined {
  return existsSync(join(kubeconformFolder, 'kubeconform')) ? undefined : 'kubeconform is not there';
}

/** Versions of Kubernetes that there are schemas of, `1.36`. */
export function schemaVersions(): string[] {
  return readdirSync(join(kubeconformFolder, 'schemas'))
    .flatMap(name => /^v(\d+\.\d+)\.0$/.exec(name)?.[1] ?? [])
    .sort();
}

/** The sets of values that the chart is shipped with, by name. */
export const valueSets: readonly string[] = readdirSync(join(CHART, 'ci'))
  .filter(name => name.endsWith('-values.yaml'))
  .map(name => name.slice(0, -'-values.yaml'.length))
  .sort();

export function valuesFile(set: string): string {
  return join(CHART, 'ci', `${set}-values.yaml`);
}

/** Runs Helm; with a `kubeconfig` against that cluster. */
export function helm(args: readonly string[], kubeconfig = '/dev/null'): Promise<Outcome> {
  const home = join(cacheFolder(), 'helm-home');
  const env = { KUBECONFIG: kubeconfig, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
  return runProgram(helmProgram, args, { env });
}

/** An object as the chart renders it. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every kind
export type Manifest = Record<string, any>;

export interface RenderOptions {
  release?: string;
  namespace?: string;
  /** Files of values, and single ones (`--set`). */
  files?: string[];
  set?: string[];
  kubeVersion?: string;
  /** False leaves out values.schema.json, which takes more time than all the rest. */
  validated?: boolean;
}

/** For sets of values whose schema another test asks. */
export const quick: RenderOptions = { validated: false };

/** Arguments of `helm template`, `helm install` and so on. */
export function chartArguments({
  release = 'falco',
  namespace = 'falco',
  files = [],
  set = [],
  validated = true,
}: RenderOptions): string[] {
  return [
    ...[release, CHART, '--namespace', namespace],
    ...files.flatMap(file => ['--values', file]),
    ...set.flatMap(one => ['--set', one]),
    ...(validated ? [] : ['--skip-schema-validation']),
  ];
}

/** The objects of a rendered text. Keys given twice are an error. */
export function parseManifests(text: string): Manifest[] {
  const documents = parseAllDocuments(text, { version: '1.1' });
  return (Array.isArray(documents) ? documents : []).flatMap(document => {
    if (document.errors.length > 0) throw document.errors[0];
    return (document.toJS() as Manifest | null) ?? [];
  });
}

const rendered = new Map<string, Promise<string>>();

/** What the chart renders. @throws Error with what Helm says */
export async function render(options: RenderOptions = {}): Promise<Manifest[]> {
  const { kubeVersion = '1.36.0' } = options;
  const args = ['template', ...chartArguments(options), '--kube-version', kubeVersion];
  const known = rendered.get(args.join(' ')) ?? textOf(args);
  rendered.set(args.join(' '), known);
  return parseManifests(await known);
}

async function textOf(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await helm(args);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** What the chart renders for one of its own sets of values. */
export function renderSet(set: string, options: RenderOptions = {}): Promise<Manifest[]> {
  return render({ ...options, files: [valuesFile(set)] });
}

/** The one object of a kind, or of a kind and a name. @throws Error when there is none, or several */
export function only(objects: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = objects.filter(
    object => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found.length !== 1) throw new Error(`${found.length} objects ${kind} ${name ?? ''}`);
  return found[0]!;
}

/** `Kind name` of every object, sorted. */
export function namesOf(objects: readonly Manifest[]): string[] {
  return objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
}

/** The StatefulSet or the Deployment. */
export function workloadOf(objects: readonly Manifest[]): Manifest {
  const found = objects.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment');
  if (found.length !== 1) throw new Error(`${found.length} workloads`);
  return found[0]!;
}

/** What its pods are made from. */
export function podOf(objects: readonly Manifest[]): Manifest {
  return workloadOf(objects).spec.template as Manifest;
}

/** The daemon's container. */
export function containerOf(objects: readonly Manifest[]): Manifest {
  const containers = podOf(objects).spec.containers as Manifest[];
  return containers.find(({ name }) => name === 'tiercel')!;
}

/** The texts of a Secret. */
export function secretTexts(secret: Manifest): Record<string, string> {
  return Object.fromEntries(
    Object.entries((secret.data ?? {}) as Record<string, string>).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString(),
    ]),
  );
}

/** What is wrong with the objects in that version of Kubernetes; kinds that are no part of it are left out. */
export async function checkSchemas(text: string, version: string): Promise<string> {
  const place =
    '{{ .NormalizedKubernetesVersion }}{{ .StrictSuffix }}/{{ .ResourceKind }}{{ .KindSuffix }}.json';
  const args = [
    ...['-strict', '-kubernetes-version', `${version}.0`],
    ...['-schema-location', `${join(kubeconformFolder, 'schemas')}/${place}`],
    ...['-skip', 'ServiceMonitor,PrometheusRule,HTTPRoute'],
  ];
  const { code, stdout, stderr } = await runProgram(join(kubeconformFolder, 'kubeconform'), args, {
    input: text,
  });
  return code === 0 ? '' : stdout + stderr;
}
