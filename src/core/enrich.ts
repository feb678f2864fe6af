/**
 * What is added to an alert on its way in, in falcosidekick's order: custom fields, custom tags, source, templated
 * fields, sorted tags, bracket replacement, output format, cut of long fields.
 */
import { type AlertDraft, TEST_RULE } from './alert/alert.ts';
import { toText } from './alert/json.ts';
import type { EnrichConfig } from './config/types.ts';
import type { Clock, Logger } from './contract.ts';
import { cutLongFields } from './enrich/cut.ts';
import { formatOutput } from './enrich/output-format.ts';
import { createLogLimit } from './log-limit.ts';
import { fieldsData, parseTemplate, TemplateError } from './template/index.ts';
import { compareText } from './template/value.ts';

export interface EnrichDeps {
  log: Logger;
  clock: Pick<Clock, 'monotonic'>;
  /** Told that a templated field could not be rendered for an alert. */
  templateFailed?(field: string): void;
}

/** More are left to the engine: on a processor that has just slept, its sort takes a microsecond to begin. */
const MANY_TAGS = 16;

type Step = (draft: AlertDraft) => void;

/**
 * Builds the enrichment of a configuration. The function that it returns edits a draft in place and never throws.
 * @throws TemplateError when a templated field cannot be parsed; the configuration is checked for that when it is loaded
 */
export function createEnricher(config: EnrichConfig, deps: EnrichDeps): Step {
  const warnings = createLogLimit(deps.log, deps.clock);
  const templateFailed = (field: string, error: Error, { rule }: AlertDraft) => {
    deps.templateFailed?.(field);
    warnings.warn(
      field,
      { field, rule, error: error.message },
      'templated field ends where its template failed',
    );
  };
  const steps: Step[] = [];
  const customFields = Object.entries(config.customFields);
  if (customFields.length > 0) steps.push(draft => draft.fields.assign(customFields));
  if (config.customTags.length > 0) steps.push(draft => draft.tags.push(...config.customTags));
  steps.push(nameSource);
  steps.push(
    ...Object.entries(config.templatedFields).map(([name, text]) =>
      templatedField(name, text, templateFailed),
    ),
  );
  steps.push(sortTags);
  if (config.bracketReplacer !== '') steps.push(draft => replaceBrackets(draft, config.bracketReplacer));
  if (config.outputFieldFormat !== '') {
    const custom = customFields.map(([name, value]) => `${name}=${value}`).join(' ');
    const templated = Object.keys(config.templatedFields);
    steps.push(draft =>
      formatOutput(draft, config.outputFieldFormat, custom, pairsOf(draft, templated, config)),
    );
  }
  if (config.longFields === 'cut') steps.push(cutLongFields);
  return draft => {
    for (const step of steps) step(draft);
  };
}

function nameSource(draft: AlertDraft): void {
  if (draft.rule === TEST_RULE) draft.source = 'internal';
  // The plural is falcosidekick's, for alerts that do not name their source; Falco itself says `syscall`.
  else if (draft.source === '') draft.source = 'syscalls';
}

function templatedField(
  name: string,
  text: string,
  failed: (field: string, error: Error, draft: AlertDraft) => void,
): Step {
  const template = parseTemplate(text);
  return draft => {
    let value = '';
    try {
      value = template.render(fieldsData(draft.fields.entries()));
    } catch (error) {
      if (error instanceof TemplateError) value = error.rendered;
      failed(name, error as Error, draft);
    }
    draft.fields.assign([[name, value]]);
  };
}

/** Falco's own are in order and few: putting each behind those before it is done at once. */
function sortTags({ tags }: AlertDraft): void {
  if (tags.length > MANY_TAGS) {
    tags.sort(compareText);
    return;
  }
  for (let index = 1; index < tags.length; index++) {
    const tag = tags[index]!;
    let at = index;
    for (; at > 0 && compareText(tags[at - 1]!, tag) > 0; at--) tags[at] = tags[at - 1]!;
    tags[at] = tag;
  }
}

function replaceBrackets(draft: AlertDraft, replacer: string): void {
  const newNames = new Map<string, string>();
  for (const name of draft.fields.names()) {
    if (name.includes('[')) newNames.set(name, withoutBrackets(name, replacer));
  }
  if (newNames.size > 0) draft.fields.rename(newNames);
}

function pairsOf(draft: AlertDraft, names: readonly string[], { bracketReplacer }: EnrichConfig): string {
  const value = (name: string) =>
    draft.fields.get(name) ?? draft.fields.get(withoutBrackets(name, bracketReplacer));
  return names.map(name => `${name}=${toText(value(name))}`).join(' ');
}

function withoutBrackets(name: string, replacer: string): string {
  if (replacer === '' || !name.includes('[')) return name;
  return name.replaceAll(']', '').replaceAll('[', () => replacer);
}
