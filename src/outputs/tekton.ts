import { secretUrl } from '../core/keys.ts';
import { defineHttpOutput } from './_kit/http.ts';

export default defineHttpOutput({
  name: 'tekton',
  title: 'Tekton',
  category: 'function',
  docs: 'Posts each alert as JSON to an event listener of Tekton Triggers, see https://tekton.dev/docs/triggers/eventlisteners.',
  keys: { eventlistener: secretUrl('URL of the event listener; setting it turns the output on.') },
  enabledBy: 'eventlistener',
  request: (alert, config) => ({ url: config.eventlistener, body: alert.bytes }),
  example: { eventlistener: 'http://el-falco-listener.tekton:8080' },
});
