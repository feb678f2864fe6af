/** `outputfieldformat`: rewrites the output text of an alert, with falcosidekick's placeholders and trimming. */
import type { AlertDraft } from '../alert/alert.ts';

// Falco's own beginning of an output: a clock with a fraction, a priority, a text.
const FALCO_OUTPUT = /\d\.\d+: (?:debug|info|informational|notice|warning|error|critical|alert|emergency) /i;

const PLACEHOLDER = /<(?:timestamp|priority|output|custom_fields|templated_fields|tags)>/g;

/**
 * Writes the output anew when it begins as Falco's do; the words are split at single spaces. The format is filled in
 * one pass, so a text that holds a placeholder itself stays as it is.
 * @param custom the custom fields and their values, `k=v k2=v2`
 * @param templated likewise the templated fields
 */
export function formatOutput(draft: AlertDraft, format: string, custom: string, templated: string): void {
  if (!FALCO_OUTPUT.test(draft.output)) return;
  const words = draft.output.split(' ');
  if (words.length < 3) return;
  const filled = format.replace(PLACEHOLDER, placeholder => {
    switch (placeholder) {
      case '<timestamp>':
        return withoutEnd(words[0]!, ':');
      case '<priority>':
        return draft.priority;
      case '<output>':
        return words.slice(2).join(' ');
      case '<custom_fields>':
        return custom;
      case '<templated_fields>':
        return templated;
      default:
        return draft.tags.join(',');
    }
  });
  // What is left of "(<custom_fields> <templated_fields>)" when there are none; each once, in this order.
  draft.output = [' ', '( )', '()', ' '].reduce(withoutEnd, filled);
}

function withoutEnd(text: string, end: string): string {
  return text.endsWith(end) ? text.slice(0, -end.length) : text;
}
