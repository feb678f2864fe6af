import { z } from 'zod';
import { flag, integer, oneOf, secret, text, url } from '../../core/keys.ts';
import { batchingKey } from '../_kit/batching.ts';
import { SUFFIXES } from './document.ts';

export const keys = z.object({
  hostport: url('Address of Elasticsearch or OpenSearch; setting it turns the output on.'),
  index: text('Index, or the beginning of its name.', 'falco'),
  type: text('Document type, for servers before version 7.', '_doc'),
  suffix: oneOf('How often a new index begins; its date stands behind the name.', SUFFIXES, 'daily', {
    otherwise: 'daily',
  }),
  pipeline: text('Ingest pipeline that documents go through.'),
  username: text('User name, for basic authentication.'),
  password: secret('Password, for basic authentication.'),
  apikey: secret('API key as the server encoded it; user name and password go before it.'),
  flattenfields: flag('Whether dots in the names of output fields become `_`.'),
  createindextemplate: flag(
    'Whether an index template for the fields of Falco is made when there is none; turns `flattenfields` on.',
  ),
  numberofshards: integer('Shards of an index, for `createindextemplate`.', 3),
  numberofreplicas: integer('Replicas of an index, for `createindextemplate`.', 3),
  enablecompression: flag('Whether requests are compressed.'),
  batching: batchingKey(),
});

export type Config = z.output<typeof keys>;
