/**
 * Starts a new HTTP output: `npm run new-output -- <name> [--title "Name for people"]`. Writes a working definition, a
 * golden test case without requests (GOLDEN=write fills it in), and everything that is generated.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const { values, positionals } = parseArgs({ options: { title: { type: 'string' } }, allowPositionals: true });
const [name] = positionals;
if (name === undefined || !/^[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)?$/.test(name)) {
  console.error('usage: npm run new-output -- <name> [--title "Name for people"]');
  console.error('The name is the section in the configuration: lower case, as in `webex` or `aws.sqs`.');
  process.exit(2);
}

const title = values.title ?? name[0]!.toUpperCase() + name.slice(1);
const source = `src/outputs/${name.replaceAll('.', '-')}.ts`;
const golden = `test/golden/${name}/default.json`;
if (existsSync(at(source))) {
  console.error(`${source} is already there`);
  process.exit(1);
}

const quoted = (text: string) => (/['\\]/.test(text) ? JSON.stringify(text) : `'${text}'`);
const example = { webhookurl: `https://${name.replaceAll('.', '-')}.example/hooks/token` };

writeFileSync(
  at(source),
  `import { secretUrl } from '../core/keys.ts';
import { defineHttpOutput } from './_kit/http.ts';

export default defineHttpOutput({
  name: '${name}',
  title: ${quoted(title)},
  category: 'other',
  docs: ${quoted(`Posts each alert to ${title}.`)},
  keys: {
    webhookurl: secretUrl('URL to post to; setting it turns the output on.'),
  },
  enabledBy: 'webhookurl',
  request: (alert, config) => ({ url: config.webhookurl, json: { text: alert.output } }),
  example: { webhookurl: '${example.webhookurl}' },
});
`,
);
mkdirSync(at(`test/golden/${name}`), { recursive: true });
writeFileSync(at(golden), `${JSON.stringify({ config: example, requests: {} }, null, 2)}\n`);
execFileSync(process.execPath, [at('scripts/gen.ts')], { stdio: 'inherit' });

console.log(`\nwrote ${source} and ${golden}. Next:
  1. say in ${source} what it is, what it needs and what it sends
  2. npm run gen
  3. GOLDEN=write npx vitest run test/contract/golden.test.ts, and read what it wrote`);
