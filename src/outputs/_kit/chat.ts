/** Keys that chat outputs share. */
import { oneOf, text } from '../../core/keys.ts';

/** falcosidekick's default picture. */
export const ICON =
  'https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png';

/** What stands for an icon that is set to nothing, where falcosidekick sends one all the same. */
export const PLAIN_ICON =
  'https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick.png';

export const FOOTER = 'https://github.com/falcosecurity/falcosidekick';

export const icon = text("URL of the sender's picture.", ICON);

export const username = text('Name of the sender.', 'Falcosidekick');

export const footer = text('Text below each message.', FOOTER);

export const outputformat = oneOf(
  'What a message shows: text and fields, or one of them.',
  ['all', 'text', 'fields'],
  'all',
);

export const messageformat = text(
  'Go template of a text above the alert, over the alert (`.Rule`, `.OutputFields`, ...).',
);
