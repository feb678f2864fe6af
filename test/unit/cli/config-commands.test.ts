import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { cli, daemon, folder } from './support.ts';

const file = (text: string) => join(folder({ 'config.yaml': text }), 'config.yaml');
const validate = (text: string, ...more: string[]) => cli(['validate', '-c', file(text), ...more]);

describe('the command line', () => {
  test.each([['-v'], ['--version']])('%s tells the version in aligned lines', async flag => {
    const { code, out } = await cli([flag], { env: { TIERCEL_REVISION: 'abc123' } });
    expect(code).toBe(0);
    expect(out).toMatch(/^GitVersion:\s+\d+\.\d+\.\d+/m);
    expect(out).toMatch(/^GitCommit:\s+abc123$/m);
    expect(out).toMatch(/^NodeVersion:\s+v\d+/m);
  });

  test('--help names every command', async () => {
    const { code, out } = await cli(['--help']);
    expect(code).toBe(0);
    for (const name of ['run', 'validate', 'outputs', 'test', 'tail', 'dead', 'replay', 'config', 'doctor']) {
      expect(out).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
    }
  });

  test.each([
    { argv: ['vaildate'], says: 'validate' },
    { argv: ['--nonsense'], says: '--nonsense' },
    { argv: ['test', 'extra'], says: 'too many arguments' },
    { argv: ['replay', '--since', '1h'], says: '--output' },
    { argv: ['dead'], says: 'list' },
  ])('$argv is refused with 2', async ({ argv, says }) => {
    const { code, err } = await cli(argv);
    expect(code).toBe(2);
    expect(err).toContain(says);
  });

  test('the exit code is the same when nobody reads the standard error', async () => {
    const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, 'vaildate'], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr!.destroy();
    expect(await once(child, 'exit')).toEqual([2, null]);
  });

  test.each([
    { argv: ['help'], shows: 'Usage: tiercel [options] [command]' },
    { argv: ['help', 'tail'], shows: 'Usage: tiercel tail [options]' },
    { argv: ['help', 'dead'], shows: 'Usage: tiercel dead [options] [command]' },
  ])('$argv explains', async ({ argv, shows }) => {
    const { code, out } = await cli(argv);
    expect(code).toBe(0);
    expect(out).toContain(shows);
  });

  test('each command has examples', async () => {
    const commandsOf = (help: string) => [...help.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, name]) => name!);
    const visit = async (path: string[]): Promise<void> => {
      const { out } = await cli([...path, '--help']);
      const [usage, examples] = out.split('Examples:');
      if (path.length > 0) expect(examples, path.join(' ')).toMatch(/^\n {2}.*\btiercel /);
      if (!/\[command\]$/m.test(usage!)) return;
      for (const name of commandsOf(usage!)) if (name !== 'help') await visit([...path, name]);
    };
    await visit([]);
  });

  test.each([
    { argv: ['validate', '-c', 'a', '--config-file', 'b'], option: '--config-file' },
    { argv: ['-c', 'a', '-c', 'b'], option: '--config-file' },
    { argv: ['dead', 'list', '--output', 'a', '--output', 'b'], option: '--output' },
  ])('$argv: an option that takes one value is refused the second time', async ({ argv, option }) => {
    const { code, err } = await cli(argv);
    expect(code).toBe(2);
    expect(err).toMatch(new RegExp(`${option}.*can be given only once`));
  });

  test('colours only where they are wanted', async () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with the escape character
    const escapes = /\u001b\[/;
    expect((await cli(['outputs'], { colours: true })).out).toMatch(escapes);
    expect((await cli(['outputs'])).out).not.toMatch(escapes);
  });
});

describe('run', () => {
  test.each([[['-c']], [['--config-file']], [['run', '-c']]])(
    '%j FILE with a bad file ends with 2',
    async argv => {
      const { code, err } = await cli([...argv, file('listenport: many\n')]);
      expect(code).toBe(2);
      expect(err).toContain('listenport');
    },
  );

  test('--config-file=FILE', async () => {
    const { code, err } = await cli([`--config-file=${file('listenport: many\n')}`]);
    expect({ code, named: err.includes('line 1: listenport') }).toEqual({ code: 2, named: true });
  });

  test('a port in use, or an address of another machine: one sentence', async () => {
    const { url } = await daemon({});
    const { port } = new URL(url);
    const settings = `log: { level: error }\nspool: { path: ${folder()} }\n`;
    const run = (text: string) => cli(['run', '-c', file(settings + text)]);
    expect(await run(`listenaddress: 127.0.0.1\nlistenport: ${port}\n`)).toMatchObject({
      code: 1,
      err: `tiercel: port ${port} is in use on 127.0.0.1: another process listens there\n`,
    });
    expect(await run('listenaddress: 192.0.2.1\n')).toMatchObject({
      code: 1,
      err: 'tiercel: 192.0.2.1 is not an address of this machine\n',
    });
  });
});

describe('validate', () => {
  test('a good file: 0 and its outputs', async () => {
    const { code, out } = await validate('slack:\n  webhookurl: https://hooks.example/x\n');
    expect(code).toBe(0);
    expect(out).toContain('slack');
    expect(out).not.toContain('hooks.example');
  });

  test('every problem with its line and a hint: 2', async () => {
    const { code, out } = await validate('listenport: many\nslack:\n  webhokurl: https://hooks.example/x\n');
    expect(code).toBe(2);
    expect(out).toMatch(/line 1: listenport: /);
    expect(out).toMatch(/line 3: slack\.webhokurl: .*webhookurl/);
    expect(out).toContain('2 errors');
  });

  test('--json', async () => {
    const { code, out } = await validate('listenport: many\n', '--json');
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({
      valid: false,
      problems: [{ path: 'listenport', line: 1, severity: 'error' }],
    });
  });

  test('a file that is not there', async () => {
    const { code, out } = await cli(['validate', '-c', join(folder(), 'none.yaml')]);
    expect(code).toBe(2);
    expect(out).toContain('none.yaml');
  });

  test('the environment counts', async () => {
    const { code, out } = await cli(['validate'], { env: { LISTENPORT: '99999' } });
    expect(code).toBe(2);
    expect(out).toContain('LISTENPORT');
  });
});

describe('outputs', () => {
  test('lists all with their category', async () => {
    const { code, out } = await cli(['outputs']);
    expect(code).toBe(0);
    expect(out).toMatch(/^chat\s+slack\s+Slack$/m);
  });

  test('one: keys, variables, defaults, secrets, example', async () => {
    const { code, out } = await cli(['outputs', 'slack']);
    expect(code).toBe(0);
    expect(out).toMatch(/slack\.webhookurl {2}SLACK_WEBHOOKURL/);
    expect(out).toContain('secret');
    expect(out).toContain('slack.minimumpriority');
    const example = out.slice(out.indexOf('Smallest configuration') + 'Smallest configuration'.length);
    expect((await validate(example)).code).toBe(0);
  });

  test('--json', async () => {
    const slack = JSON.parse((await cli(['outputs', 'slack', '--json'])).out);
    expect(slack.keys).toContainEqual(
      expect.objectContaining({ path: 'slack.webhookurl', env: 'SLACK_WEBHOOKURL', secret: true }),
    );
    const all = JSON.parse((await cli(['outputs', '--json'])).out);
    expect(all).toContainEqual(expect.objectContaining({ name: 'slack', category: 'chat' }));
  });

  test('an unknown one: 2, with the nearest', async () => {
    const { code, err } = await cli(['outputs', 'slcak']);
    expect(code).toBe(2);
    expect(err).toContain('did you mean slack?');
  });
});

describe('config', () => {
  test('example can be used as it is', async () => {
    const { code, out } = await cli(['config', 'example']);
    expect(code).toBe(0);
    expect(out).toContain('#listenport: 2801');
    expect((await validate(out)).code).toBe(0);
  });

  test('schema is a JSON Schema that knows the outputs', async () => {
    const schema = JSON.parse((await cli(['config', 'schema'])).out);
    expect(schema.$schema).toContain('json-schema.org');
    expect(schema.properties).toHaveProperty('slack');
  });

  test('show gives what is in effect and hides secrets', async () => {
    const path = file('slack:\n  webhookurl: https://hooks.example/s3cret\nlistenport: 3000\n');
    const { code, out } = await cli(['config', 'show', '-c', path], { env: { LISTENPORT: '3001' } });
    expect(code).toBe(0);
    expect(parse(out)).toMatchObject({ listenport: 3001, slack: { webhookurl: '***' } });
    expect(out).not.toContain('s3cret');
  });
});

describe('config migrate', () => {
  const migrate = (text: string) => cli(['config', 'migrate', file(text)]);

  test('keeps what is referred to where it was left out', async () => {
    const common = 'x-common: &common\n  checkcert: false\n  minimumpriority: warning\n';
    const hooks = ['slack', 'discord'].map(
      name => `${name}:\n  <<: *common\n  webhookurl: https://a.example/x\n`,
    );
    const { code, out } = await migrate(common + hooks.join(''));
    expect(code).toBe(0);
    expect(parse(out, { merge: true })).toEqual({
      slack: { checkcert: false, minimumpriority: 'warning', webhookurl: 'https://a.example/x' },
      discord: { checkcert: false, minimumpriority: 'warning', webhookurl: 'https://a.example/x' },
    });
  });

  test('gives no second map of a name that the file has already', async () => {
    const slack =
      'slack:\n  webhookurl: https://a.example/x\n  maxconcurrentrequests: 3\n  delivery: {timeout: 5s}\n';
    const { code, out } = await migrate(`debug: false\nlog: {level: warn}\n${slack}`);
    expect(code).toBe(0);
    expect(out).toMatch(/^debug: false$/m);
    expect(out).toMatch(/^ {2}maxconcurrentrequests: 3$/m);
  });

  test('takes over what is the same, comments and all', async () => {
    const { code, out, err } = await migrate(
      '# our file\nlistenport: 3000\ncustomfields:\n  env: prod # everywhere\nslack:\n  webhookurl: https://hooks.example/x\n',
    );
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toContain('# our file');
    expect(out).toContain('# everywhere');
    expect(parse(out)).toEqual({
      listenport: 3000,
      customfields: { env: 'prod' },
      slack: { webhookurl: 'https://hooks.example/x' },
    });
    expect((await validate(out)).code).toBe(0);
  });

  test('leaves out what has no effect, and says so at its place', async () => {
    const { code, out, err } = await migrate(
      'slack:\n  webhokurl: https://hooks.example/x\n  username: falco\nnonsense: 1\n',
    );
    expect(code).toBe(0);
    expect(parse(out)).toEqual({ slack: { username: 'falco' } });
    expect(out).toMatch(/# webhokurl left out: .*unknown key.*webhookurl.*\n\s+username/);
    expect(out).toMatch(/# nonsense left out/);
    expect(err).toContain('slack.webhokurl: ');
    expect(out + err).not.toContain('hooks.example');
  });

  test('comments of what is left out or renamed stay, each at its place', async () => {
    const { out } = await migrate(
      [
        'slack:',
        '  username: falco',
        '  # the old channel',
        '  webhokurl: x # to be rotated',
        '# nobody knows why',
        'nonsense:',
        '  a: 1 # really',
        '# the port',
        'listenport: 3000',
        'debug: true # for now',
        '',
      ].join('\n'),
    );
    expect(out.slice(out.indexOf('slack:'))).toBe(
      [
        'slack:',
        '  username: falco',
        '  # the old channel',
        '  # to be rotated',
        '  # webhokurl left out: unknown key; it is ignored (did you mean webhookurl?)',
        '# nobody knows why',
        '# really',
        '# nonsense left out: unknown key; it is ignored',
        '# the port',
        'listenport: 3000',
        'log:',
        '  level: debug # for now',
        '',
      ].join('\n'),
    );
  });

  test('variables and files that are named are looked up, files beside the configuration', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: how a configuration names them
    const fields = 'customfields:\n  a: ${env:SITE}\n  b: ${file:secret.txt}\n';
    const path = folder({ 'config.yaml': fields, 'secret.txt': 's3cret\n' });
    const found = await cli(['config', 'migrate', join(path, 'config.yaml')], { env: { SITE: 'lab' } });
    expect({ code: found.code, err: found.err }).toEqual({ code: 0, err: '' });
    expect(found.out).toContain(fields);
    const missing = await cli(['config', 'migrate', join(path, 'config.yaml')]);
    expect(missing.code).toBe(2);
    expect(missing.err).toContain('customfields.a: the environment variable SITE is not set');
  });

  test('a folder in place of the file is told in words', async () => {
    const { code, err } = await cli(['config', 'migrate', folder({})]);
    expect(code).toBe(2);
    expect(err).toMatch(/cannot read .*: it is a folder\n/);
  });

  test('the environment hides no mistake of the file', async () => {
    const argv = ['config', 'migrate', file('listenport: many\n')];
    expect((await cli(argv, { env: { LISTENPORT: '2801' } })).code).toBe(2);
  });

  test.each(['', '# all by environment\n', '---\n', '~\n'])('%j has nothing but comments', async text => {
    const { code, out } = await migrate(text);
    expect(code).toBe(0);
    expect(out).toMatch(/^(#.*\n|\n)+$/);
    expect(out.includes('# all by environment\n')).toBe(text.startsWith('#'));
    expect((await validate(out)).code).toBe(0);
  });

  test('gives falcosidekick’s names their own', async () => {
    const { out, err } = await migrate(
      'debug: true\nwebhook:\n  address: http://hook.example\n  maxconcurrentrequests: 4\n',
    );
    expect(parse(out)).toEqual({
      log: { level: 'debug' },
      webhook: { address: 'http://hook.example', delivery: { concurrency: 4 } },
    });
    expect(err).toContain('webhook.maxconcurrentrequests: ');
  });

  test('warns of keys that had no effect before and have one now', async () => {
    const { out, err } = await migrate('nats:\n  hostport: nats://nats.example:4222\n  checkcert: false\n');
    expect(parse(out)).toEqual({ nats: { hostport: 'nats://nats.example:4222', checkcert: false } });
    expect(err).toContain('nats.checkcert: falcosidekick ignored this key');
  });

  test('what cannot be used is marked: 2', async () => {
    const { code, out } = await migrate('listenport: many\n');
    expect(code).toBe(2);
    expect(out).toMatch(/# expected .*\nlistenport: many/);
  });

  test('no YAML at all: 2', async () => {
    expect((await migrate('a: [1\n')).code).toBe(2);
    expect((await cli(['config', 'migrate', join(folder(), 'none.yaml')])).code).toBe(2);
  });
});
