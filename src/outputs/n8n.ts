import { secret, secretUrl, text } from '../core/keys.ts';
import { basicAuth } from './_kit/auth.ts';
import { defineHttpOutput } from './_kit/http.ts';

export default defineHttpOutput({
  name: 'n8n',
  title: 'n8n',
  category: 'web',
  docs: 'Posts each alert as JSON to a webhook node of n8n, see https://docs.n8n.io/integrations/builtin/core-nodes/n8n-nodes-base.webhook.',
  keys: {
    address: secretUrl('Production URL of the webhook node; setting it turns the output on.'),
    user: text('User name, where the node asks for basic authentication.'),
    password: secret('Password, where the node asks for basic authentication.'),
    headerauthname: text('Name of the header, where the node asks for header authentication.'),
    headerauthvalue: secret('Value of the header, where the node asks for header authentication.'),
  },
  enabledBy: 'address',
  check: ({ headerauthname }) =>
    /^[!#$%&'*+.^_`|~0-9a-z-]*$/i.test(headerauthname)
      ? []
      : [{ path: 'headerauthname', message: 'not a name for a header' }],
  request: (alert, config) => ({
    url: config.address,
    headers: {
      ...basicAuth(config.user, config.password),
      ...(config.headerauthname !== '' &&
        config.headerauthvalue !== '' && { [config.headerauthname.toLowerCase()]: config.headerauthvalue }),
    },
    body: alert.bytes,
  }),
  example: { address: 'https://n8n.example/webhook/falco' },
});
