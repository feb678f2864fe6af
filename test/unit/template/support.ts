import { type Alert, sealAlert } from '../../../src/core/alert/alert.ts';
import { parseAlert } from '../../../src/core/alert/parse.ts';

/** Seals an alert from its JSON, keeping an absent uuid empty as a template would see it in falcosidekick. */
export function alertFrom(json: string): Alert {
  const { draft, refusal } = parseAlert(json);
  if (!draft) throw new Error(refusal.message);
  return sealAlert({ ...draft, uuid: (JSON.parse(json) as { uuid?: string }).uuid ?? '' });
}
