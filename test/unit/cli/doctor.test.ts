import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Answer, cli, daemon, folder, nobody, problem } from './support.ts';

function statusOf(outputs: Record<string, unknown>[] = [], more: Record<string, unknown> = {}) {
  const idle = { type: 'webhook', state: 'running', breaker: 'closed', depth: 0, inFlight: 0, waiting: 0 };
  return {
    version: '1.2.3',
    startedAt: 0,
    readiness: { ready: true, problems: [] },
    outputs: outputs.map(output => ({ ...idle, deadLetters: 0, dropped: 0, ...output })),
    reloads: { ok: 0, failed: 0 },
    ...more,
  };
}

// Without /ping, which `tlsserver.notlspaths` may move to another port.
const healthy = (status = statusOf(), refusals: unknown[] = []): Record<string, Answer> => ({
  'GET /api/v1': () => ({ name: 'tiercel', version: '1.2.3' }),
  'GET /api/v1/status': () => status,
  'GET /api/v1/refusals': () => ({ items: refusals }),
});

const FALCO =
  'json_output: true\nhttp_output: {enabled: true, url: "http://tiercel:PORT/", keep_alive: true}\n';

async function doctor(url: string, options: { config?: string; falco?: string } = {}, ...more: string[]) {
  const { port } = new URL(url);
  const path = folder({
    'config.yaml': `listenport: ${port}\n${options.config ?? ''}`,
    'falco.yaml': (options.falco ?? FALCO).replace('PORT', port),
  });
  return cli(['doctor', '-c', join(path, 'config.yaml'), '--falco', join(path, 'falco.yaml'), ...more]);
}

/** Lines that begin with a mark. */
const marked = (out: string, mark: string) => out.split('\n').filter(line => line.startsWith(mark));

describe('doctor', () => {
  test('all is well: 0 and not one FAIL', async () => {
    const hook = await daemon({});
    const { url } = await daemon(healthy(statusOf([{ id: 'webhook' }])));
    const { code, out } = await doctor(url, { config: `webhook:\n  address: ${hook.url}/alerts\n` });
    expect(marked(out, 'FAIL')).toEqual([]);
    expect(out).toMatch(/^ok {4}daemon: answers at http:\/\/127\.0\.0\.1/m);
    expect(out).toMatch(/^ok {4}output webhook: answers/m);
    expect(out).toMatch(/^ok {4}delivery webhook: running, nothing waiting/m);
    expect(out).toMatch(/^ok {4}falco http_output\.url: /m);
    expect(code).toBe(0);
  });

  test('without an output: what becomes of the alerts', async () => {
    const { url } = await daemon(healthy());
    const outputs = async (run: ReturnType<typeof cli>) => marked((await run).out, 'warn  outputs');
    expect(await outputs(doctor(url, {}, '--no-probe'))).toEqual([
      expect.stringContaining('kept in the log'),
    ]);
    expect(await outputs(cli(['doctor', '--url', url, '--no-probe']))).toEqual([
      expect.stringMatching(/the environment turns none on, .*shown on the console; -c names/),
    ]);
  });

  test('no daemon: 1, and the rest is still looked at', async () => {
    const { code, out } = await doctor(await nobody(), {}, '--no-probe');
    expect(code).toBe(1);
    expect(marked(out, 'FAIL')).toEqual([expect.stringContaining('daemon: no daemon at')]);
    expect(out).toMatch(/^ok {4}falco json_output/m);
  });

  test('a bad configuration: every problem', async () => {
    const { url } = await daemon(healthy());
    const { code, out } = await doctor(url, {
      config: 'spool:\n  driver: tape\nslack:\n  webhookurl: nothing\n',
    });
    expect(code).toBe(1);
    expect(marked(out, 'FAIL').join('\n')).toMatch(/line 3: spool\.driver[\s\S]*line 5: slack\.webhookurl/);
  });

  test('an output that cannot be reached, without its address', async () => {
    const { url } = await daemon(healthy());
    const address = `${(await nobody()).replace('//', '//user:s3cret@')}/alerts`;
    const { code, out } = await doctor(url, { config: `webhook:\n  address: ${address}\n` });
    expect(code).toBe(1);
    expect(marked(out, 'FAIL')).toEqual([expect.stringContaining('output webhook')]);
    expect(out).not.toContain('s3cret');
  });

  test('an address that is no secret is told, but for the password in it', async () => {
    const { url } = await daemon(healthy());
    const there = await nobody();
    const { out } = await doctor(url, {
      config: `alertmanager:\n  hostport: ${there.replace('//', '//user:s3cret@')}\n`,
    });
    expect(marked(out, 'FAIL')).toEqual([expect.stringContaining(new URL(there).host)]);
    expect(out).not.toContain('s3cret');
  });

  test.each(['0s', '60d', 'soon'])('--timeout %s is refused with 2', async time => {
    const { code, err } = await cli(['doctor', '--timeout', time]);
    expect(code).toBe(2);
    expect(err).toContain('at most 24d');
  });

  test('an output that never answers ends after --timeout', async () => {
    const silent: Answer = () => undefined;
    const methods = ['GET', 'HEAD', 'OPTIONS', 'POST'];
    const hook = await daemon(
      Object.fromEntries(
        ['/', '/alerts'].flatMap(path => methods.map(method => [`${method} ${path}`, silent])),
      ),
    );
    const { url } = await daemon(healthy());
    const config = `webhook:\n  address: ${hook.url}/alerts\n`;
    const { code, out } = await doctor(url, { config }, '--timeout', '200ms');
    expect(code).toBe(1);
    expect(out).toMatch(/^FAIL {2}output webhook: no answer within 200ms/m);
  });

  test('what the daemon knows: failing outputs, dead letters, readiness, reloads', async () => {
    const outputs = [
      { id: 'slack', state: 'failing', depth: 7, lastError: 'server_error: 503' },
      { id: 'kafka', deadLetters: 2 },
      { id: 'webhook', state: 'stopping', depth: 3 },
    ];
    const status = statusOf(outputs, {
      readiness: {
        ready: false,
        problems: [
          { part: 'spool', message: 'the disk is full', blocking: true },
          { part: 'output slack', message: 'it is failing', blocking: false },
        ],
      },
      reloads: { ok: 0, failed: 1, lastError: 'line 3: slack: unknown key' },
    });
    const { url } = await daemon(healthy(status));
    const { code, out } = await doctor(url, {}, '--no-probe');
    expect(code).toBe(1);
    expect(out).toMatch(/^FAIL {2}daemon spool: the disk is full/m);
    // An output has one line.
    expect(out).not.toContain('it is failing');
    expect(out).toMatch(/^warn {2}daemon reload: line 3/m);
    expect(out).toMatch(/^FAIL {2}delivery slack: failing, 7 alerts waiting: server_error: 503/m);
    expect(out).toMatch(/^warn {2}delivery kafka: .*2 dead letters/m);
    expect(out).toMatch(/^warn {2}delivery webhook: stopping, 3 alerts waiting/m);
  });

  test('refused requests say who sent what, the same fault once', async () => {
    const refusal = {
      reason: 'not_json',
      message: 'the body is not JSON; set json_output: true in falco.yaml if Falco sends plain text',
      sender: { address: '10.0.0.7', userAgent: 'falcosecurity/falco\u001b[2J' },
    };
    const now = Date.now();
    const refusals = [
      { ...refusal, at: now - 60_000 },
      { ...refusal, at: now - 30_000 },
    ];
    const { url } = await daemon(healthy(statusOf(), refusals));
    const { code, out } = await doctor(url, {}, '--no-probe');
    const lines = marked(out, 'warn').filter(line => line.includes('refused'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /2 times, last .* ago from 10\.0\.0\.7 \(falcosecurity\/falco\\x1b\[2J\): .*json_output: true/,
    );
    expect(code).toBe(0);
  });

  test('a daemon that wants a token is not taken for broken', async () => {
    const denied: Answer = (_asked, response) => problem(response, 401, 'missing or wrong credentials');
    const { url } = await daemon({ 'GET /api/v1': denied, 'GET /api/v1/status': denied });
    const { code, out } = await doctor(url, {}, '--no-probe');
    expect(out).toMatch(/^- {5}daemon status: cannot be read: .*credentials/m);
    expect(code).toBe(0);
  });

  test('something else than Tiercel answers: FAIL', async () => {
    const { url } = await daemon({ 'GET /api/v1': () => 'pong\n' });
    const { code, out } = await doctor(url, {}, '--no-probe');
    expect(code).toBe(1);
    expect(marked(out, 'FAIL')).toEqual([`FAIL  daemon: what answers at ${url} is no Tiercel daemon`]);
  });

  test('Falco that sends plain text to another port', async () => {
    const { url } = await daemon(healthy());
    const falco = 'http_output: {enabled: true, url: "http://127.0.0.1:1/", keep_alive: true}\n';
    const { code, out } = await doctor(url, { falco }, '--no-probe');
    expect(code).toBe(1);
    expect(marked(out, 'FAIL')).toEqual([
      expect.stringContaining('falco json_output'),
      expect.stringContaining('falco http_output.url: goes to port 1'),
    ]);
    expect(out).toContain('set json_output: true in falco.yaml');
  });

  test('--json', async () => {
    const { url } = await daemon(healthy());
    const { code, out } = await doctor(url, {}, '--no-probe', '--json');
    expect(JSON.parse(out)).toContainEqual({ name: 'daemon', level: 'ok', message: `answers at ${url}` });
    expect(code).toBe(0);
  });

  test('a Falco file that is not there: FAIL', async () => {
    const { url } = await daemon(healthy());
    const { code, out } = await cli([
      'doctor',
      '--url',
      url,
      '--no-probe',
      '--falco',
      join(folder(), 'none.yaml'),
    ]);
    expect(code).toBe(1);
    expect(marked(out, 'FAIL')).toEqual([expect.stringContaining('none.yaml')]);
  });
});
