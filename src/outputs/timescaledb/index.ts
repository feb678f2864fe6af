import { z } from 'zod';
import { defineOutput, type TlsSettings } from '../../core/contract.ts';
import { integer, oneOf, secret, text } from '../../core/keys.ts';
import { bareHost } from '../../core/url-parts.ts';
import { LinkKeeper, sendAll, type Tell } from '../_kit/link.ts';
import { settle } from '../_kit/settle.ts';
import { insertAll } from './insert.ts';
import { hasUuid, toRow } from './row.ts';
import { openSession, type Session, SSL_MODES, type SslMode, toWays } from './session.ts';
import { parseTable, toInsert } from './statement.ts';

const DEFAULT_PASSWORD = 'postgres';

/** Who names an authority or a certificate wants the server checked. */
function modeOf(sslmode: SslMode | '', { ca, cert, serverName }: TlsSettings): SslMode {
  return sslmode || (ca?.length || cert || serverName ? 'verify-full' : 'prefer');
}

export default defineOutput({
  name: 'timescaledb',
  title: 'TimescaleDB, PostgreSQL',
  category: 'database',
  docs: 'Inserts each alert as a row into a table: time, rule, priority, source, output, tags, hostname and each custom or templated field, in the column of its name. Columns uuid (of type uuid or text) and output_fields (jsonb) are filled where the table has them; with a unique key over uuid no alert is stored twice. PgBouncer may stand between, pooling sessions or transactions. See postgresql.org/docs/current/sql-insert.html.',
  keys: z.object({
    host: text('Host of the server; setting it turns the output on.'),
    port: integer('Port of the server.', 5432, { min: 1, max: 65_535 }),
    user: text('User name.', 'postgres'),
    password: secret(`Password; ${DEFAULT_PASSWORD} when empty.`),
    database: text('Database.', 'falcosidekick'),
    hypertablename: text(
      'Table, with its schema if need be. Read as in SQL: in lower case unless it stands in double quotes.',
      'falcosidekick_events',
    ),
    sslmode: oneOf(
      'How TLS is used, as in libpq: disable, prefer (where the server has it), require, verify-ca, verify-full. Empty: verify-full where `tls` names an authority, a certificate or a server name, else prefer.',
      ['', ...SSL_MODES],
      '',
    ),
  }),
  tls: true,
  enabled: config => config.host !== '',
  check({ host, hypertablename }) {
    const problems: { path: string; message: string; hint?: string }[] = [];
    if (/[\s@]|:\/\//.test(host)) {
      problems.push({
        path: 'host',
        message: 'expected a host name or an IP address',
        hint: 'port, user and database have keys of their own',
      });
    }
    if (!parseTable(hypertablename)) {
      problems.push({ path: 'hypertablename', message: 'expected table or schema.table' });
    }
    return problems;
  },
  // One statement for a batch. One at a time keeps the order; meanwhile the next batch grows.
  batch: { items: 500, bytes: 4 * 2 ** 20, waitMs: 10 },
  concurrency: 1,
  async open(config, host) {
    const { default: pg } = await import('pg');
    const { port, user, database } = config;
    const table = parseTable(config.hypertablename)!;
    const address = bareHost(config.host);
    const ways = toWays(modeOf(config.sslmode, host.tls), address, host.tls);
    const password = config.password || DEFAULT_PASSWORD;
    const options = { Client: pg.Client, host: address, port, user, password, database, table, ways };
    const links = new LinkKeeper(signal => openSession(options, signal));
    return {
      async send(alerts, { signal }) {
        const insert = (session: Session, tell: Tell) => {
          const { columns } = session;
          const fields = [...host.customFields(), ...host.templatedFields()];
          const rows = alerts.map(alert => toRow(alert, fields, columns));
          return insertAll(rows, some => session.run(toInsert(table, some, hasUuid(columns))), tell);
        };
        const failed = await sendAll(links, alerts.length, insert, signal);
        settle(alerts.length, failed);
      },
      probe: signal => links.use(session => session.check(), signal),
      close: () => links.close(),
    };
  },
  example: { host: 'timescaledb.example' },
});
