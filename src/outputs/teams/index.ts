import { oneOf, secretUrl, text } from '../../core/keys.ts';
import { ICON } from '../_kit/chat.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { toAdaptiveCard } from './adaptive-card.ts';
import { toMessageCard } from './message-card.ts';
import { isWorkflow } from './workflow.ts';

export default defineHttpOutput({
  name: 'teams',
  title: 'Microsoft Teams',
  category: 'chat',
  docs: 'Posts to a Microsoft Teams channel through a workflow or an old connector, see https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498.',
  keys: {
    webhookurl: secretUrl('Address of the workflow or the connector; setting it turns the output on.'),
    activityimage: text("URL of the sender's picture; empty for none.", ICON),
    outputformat: oneOf(
      'What a message shows: text and facts, or one of them.',
      ['all', 'text', 'facts'],
      'all',
    ),
    card: oneOf(
      'Form of the message: `adaptive` for workflows, `message` for connectors; `auto` goes by the host of the address.',
      ['auto', 'adaptive', 'message'],
      'auto',
    ),
  },
  enabledBy: 'webhookurl',
  request(alert, { webhookurl, card, ...look }) {
    const adaptive = card === 'auto' ? isWorkflow(webhookurl) : card === 'adaptive';
    return {
      url: webhookurl,
      json: adaptive ? toAdaptiveCard(alert, look) : toMessageCard(alert, look),
    };
  },
  // Connectors answer 200 whatever Teams said to them:
  // learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using (rate limiting).
  status(response) {
    const refused = /Microsoft Teams endpoint returned HTTP error (\d{3})/.exec(response.body);
    return refused ? Number(refused[1]) : undefined;
  },
  example: {
    webhookurl:
      'https://prod-00.westeurope.logic.azure.com/workflows/id/triggers/manual/paths/invoke?sig=signature',
  },
});
