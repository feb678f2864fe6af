/** Messages with attachments in Slack's form, which other chats take as well. Pure. */
import type { Alert } from '../../core/contract.ts';
import { COLORS, type Fact, facts, type Part } from './fields.ts';
import { fitInto, type Room } from './fit.ts';
import { truncate } from './text.ts';

/** Slack cuts messages above 40,000 characters: api.slack.com/changelog/2018-04-truncating-really-long-messages. */
const MAX_TEXT = 40_000;
/** The chats name no limit for a field; as long as falcosidekick lets one get by default. */
const MAX_FIELD = 4_096;
/**
 * Mattermost takes 760,000 characters of JSON (`PostPropsMaxUserRunes` of github.com/mattermost/mattermost,
 * model/post.go), where one of these may take six. The text is there twice.
 */
const ROOM: Room = {
  total: 80_000,
  text: MAX_TEXT,
  title: MAX_FIELD,
  value: MAX_FIELD,
  items: Number.POSITIVE_INFINITY,
  perFact: JSON.stringify({ title: '', value: '', short: false }).length,
};
/** falcosidekick puts fields of this many characters or more across the whole width. */
const WIDE = 36;
const HAS_PAIRS = /[\ud800-\udbff]/;

/** How a message looks. Empty texts are left out. */
export interface AttachmentStyle {
  username: string;
  icon: string;
  channel?: string;
  footer?: string;
  outputformat: 'all' | 'text' | 'fields';
  /** What is listed, in which order. */
  order: readonly Part[];
  /** Longest headline that the chat takes, in characters; what is attached has no such limit. */
  maxHeadline?: number;
}

/** A message with the alert attached, below a headline when there is one; what is undefined is not sent. */
export function toAttached(alert: Alert, style: AttachmentStyle, headline: string) {
  const { username, icon, channel, footer, outputformat, maxHeadline = MAX_TEXT } = style;
  // A message without text and fields is refused: api.slack.com/methods/chat.postMessage#errors, `no_text`.
  const lone = outputformat === 'text' && headline === '' ? alert.rule : '';
  const listed = outputformat === 'text' ? [] : facts(alert, style.order);
  const { text: shown, facts: fields } = fitInto(alert.output || lone, listed, ROOM);
  const attachment = {
    fallback: shown,
    color: COLORS[alert.priority],
    text: outputformat === 'fields' ? undefined : shown || undefined,
    fields: outputformat === 'text' ? undefined : fields.map(toField),
    footer: outputformat === 'text' ? undefined : footer || undefined,
  };
  return {
    text: headline === '' ? undefined : truncate(headline, maxHeadline),
    username: username || undefined,
    icon_url: icon || undefined,
    channel: channel || undefined,
    attachments: [attachment],
  };
}

function toField({ title, value, isField }: Fact) {
  return {
    title,
    value,
    short: isField ? isNarrow(value) : title !== 'time',
  };
}

/** In characters, which are one or two UTF-16 units each. */
function isNarrow(text: string): boolean {
  if (text.length < WIDE || text.length >= 2 * WIDE) return text.length < WIDE;
  return HAS_PAIRS.test(text) && [...text].length < WIDE;
}
