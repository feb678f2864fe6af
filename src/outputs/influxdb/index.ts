import { flag, oneOf, secret, text, url } from '../../core/keys.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { toRequest } from './write.ts';

export default defineHttpOutput({
  name: 'influxdb',
  title: 'InfluxDB',
  category: 'metrics',
  docs: 'Writes each alert as a point of the measurement `events`, see https://docs.influxdata.com/influxdb/v2/write-data.',
  keys: {
    hostport: url('Address of InfluxDB; setting it turns the output on.'),
    database: text('Database, for InfluxDB 1.', 'falco'),
    organization: text('Organization, for InfluxDB 2; setting it and `bucket` selects its API.'),
    bucket: text('Bucket, for InfluxDB 2.', 'falco'),
    precision: oneOf('Unit of the times.', ['ns', 'n', 'us', 'u', 'ms', 's', 'm', 'h'], 'ns'),
    user: text('User name, for InfluxDB 1.'),
    password: secret('Password, for InfluxDB 1. It goes into the address: write `+` as `%2B`.'),
    token: secret('Token; it goes before user and password.'),
    timestamp: flag(
      'Whether every point has the time of its alert. Otherwise only points that are written together, or not for the first time, have, and others the time at which they arrive.',
    ),
  },
  enabledBy: 'hostport',
  // InfluxDB stores what it can of a request that it refuses: sent again with the same time, it is the same point.
  request: (alert, config, { attempt }) => toRequest([alert], config, config.timestamp || attempt > 1),
  // Points of one request without a time get the same one, and the last of those with the same tags would remain.
  requestBatch: (alerts, config) => toRequest(alerts, config, true),
  // What docs.influxdata.com/influxdb/v2/write-data/best-practices/optimize-writes recommends; a small load is written
  // as it comes.
  batch: { items: 5_000, bytes: 4 * 1024 * 1024, waitMs: 0 },
  example: { hostport: 'http://influxdb.example:8086' },
});
