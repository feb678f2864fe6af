import { secret, text, url } from '../../core/keys.ts';
import { answeredObject } from '../_kit/answer.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { ownMembers } from '../_kit/own.ts';
import { joinUrl } from '../_kit/url.ts';
import { toMarkdown } from './markdown.ts';

export default defineHttpOutput({
  name: 'telegram',
  title: 'Telegram',
  category: 'chat',
  docs: 'Sends each alert to a Telegram chat through a bot, see https://core.telegram.org/bots/api#sendmessage.',
  keys: {
    token: secret('Token of the bot; setting it and `chatid` turns the output on.'),
    chatid: text('Number of the chat, or the name of a public channel with its @.'),
    messagethreadid: text('Number of the topic in a group with topics.'),
    host: url('Address of the Bot API.', undefined, { fallback: 'https://api.telegram.org' }),
  },
  enabledBy: ['token', 'chatid'],
  request(alert, { host, token, chatid, messagethreadid }) {
    const own = ownMembers(alert);
    return {
      url: joinUrl(host, `/bot${token}/sendMessage`),
      json: {
        ...(!own && { text: toMarkdown(alert), parse_mode: 'MarkdownV2', disable_web_page_preview: true }),
        chat_id: chatid,
        ...(messagethreadid !== '' && { message_thread_id: messagethreadid }),
        ...own,
      },
    };
  },
  status(response) {
    const { ok, error_code } = answeredObject(response.body);
    if (ok !== false) return undefined;
    return typeof error_code === 'number' && error_code >= 400 ? error_code : 400;
  },
  templateBody: () => 'json',
  example: { token: '123456:bot-token', chatid: '-1001234567890' },
});
