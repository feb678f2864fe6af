import { readdirSync, readFileSync } from 'node:fs';
import { type Alert, sealAlert } from '../../src/core/alert/alert.ts';
import { parseAlert } from '../../src/core/alert/parse.ts';

const FOLDER = new URL('../golden/alerts/', import.meta.url);

/** Reads an alert as the daemon would, without enrichment. */
export function alertOf(text: string): Alert {
  const { draft, refusal } = parseAlert(text);
  if (!draft) throw new Error(refusal.message);
  return sealAlert(draft);
}

/** The canonical alerts of the golden files by name. */
export function canonicalAlerts(): Map<string, Alert> {
  const names = readdirSync(FOLDER).sort();
  return new Map(
    names.map(name => [name.replace('.json', ''), alertOf(readFileSync(new URL(name, FOLDER), 'utf8'))]),
  );
}
