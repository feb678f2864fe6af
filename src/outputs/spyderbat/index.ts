import { z } from 'zod';
import { defineOutput } from '../../core/contract.ts';
import { secret, text, url } from '../../core/keys.ts';
import { SpyderbatOutput } from './output.ts';

export default defineOutput({
  name: 'spyderbat',
  title: 'Spyderbat',
  category: 'siem',
  docs: 'Sends each alert to Spyderbat, see https://docs.spyderbat.com.',
  http: true,
  keys: z.object({
    orguid: text('Id of the organization; setting it turns the output on.'),
    apikey: secret('API key.'),
    apiurl: url('Address of the API.', undefined, { fallback: 'https://api.spyderbat.com' }),
    source: text('Name that the source of the alerts is registered under.', 'falcosidekick'),
    sourcedescription: text('Description of the source.'),
  }),
  enabled: config => config.orguid !== '',
  open: async (config, host) => new SpyderbatOutput(config, host),
  example: { orguid: 'organization', apikey: 'api-key' },
});
