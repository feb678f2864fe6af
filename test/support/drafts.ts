import type { AlertDraft } from '../../src/core/alert/alert.ts';
import { parseAlert } from '../../src/core/alert/parse.ts';
import type { EnrichConfig } from '../../src/core/config/types.ts';

const BASE = {
  rule: 'R',
  priority: 'Notice',
  time: '2026-01-31T12:00:00Z',
  output: 'text',
  source: 'syscall',
};

/** A draft as the ingest makes it. Fields may be given as JSON text, for numbers that JavaScript cannot write. */
export function draftOf(parts: Record<string, unknown> = {}, fieldsText?: string): AlertDraft {
  const text = JSON.stringify({ ...BASE, ...parts });
  const { draft, refusal } = parseAlert(
    fieldsText === undefined ? text : `${text.slice(0, -1)},"output_fields":${fieldsText}}`,
  );
  if (!draft) throw new Error(refusal.message);
  return draft;
}

/** An enrichment that adds nothing of the user's. */
export const NO_ENRICHMENT: EnrichConfig = {
  customFields: {},
  customTags: [],
  templatedFields: {},
  bracketReplacer: '',
  outputFieldFormat: '',
  longFields: 'keep',
};
