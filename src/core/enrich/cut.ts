/** falcosidekick's rule for long alerts, on whole characters (`longfields: cut`). */
import type { AlertDraft } from '../alert/alert.ts';

// Behaviour of falcosidekick at 8807ab7: alerts of more than 4096 bytes have their text fields of more than 512
// bytes cut to 507, so that they are 512 with the mark.
const MAX_ALERT_BYTES = 4096;
const MAX_FIELD_BYTES = 512;
const MARK = '[...]';

/** Cuts a draft's long text fields, and the same texts inside its output, when the alert as a whole is long. */
export function cutLongFields(draft: AlertDraft): void {
  if (draftBytes(draft) <= MAX_ALERT_BYTES) return;
  const shortened: [string, string][] = [];
  for (const name of draft.fields.names()) {
    const value = draft.fields.get(name);
    if (typeof value !== 'string' || Buffer.byteLength(value) <= MAX_FIELD_BYTES) continue;
    const short = cutBytes(value, MAX_FIELD_BYTES - MARK.length) + MARK;
    shortened.push([name, short]);
    draft.output = draft.output.replaceAll(value, () => short);
  }
  if (shortened.length > 0) draft.fields.assign(shortened);
}

/** The longest beginning of a text that takes at most so many bytes in UTF-8; never splits a character. */
export function cutBytes(text: string, maxBytes: number): string {
  let bytes = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.codePointAt(at)!;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes > maxBytes) break;
    at += code < 0x10000 ? 1 : 2;
  }
  return text.slice(0, at);
}

/** Bytes of the draft as canonical JSON. */
function draftBytes(draft: AlertDraft): number {
  const { uuid, output, priority, rule, time, source, tags, hostname } = draft;
  const head = JSON.stringify({
    uuid,
    output,
    priority,
    rule,
    time,
    source,
    ...(tags.length > 0 && { tags }),
    ...(hostname !== '' && { hostname }),
  });
  const fields = `,"output_fields":${draft.fields.seal().text}`;
  return Buffer.byteLength(head) + Buffer.byteLength(fields) + Buffer.byteLength(draft.extraText);
}
