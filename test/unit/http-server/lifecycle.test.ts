import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { sealAlert } from '../../../src/core/alert/alert.ts';
import { parseAlert } from '../../../src/core/alert/parse.ts';
import { alertText, buildServer, call, post, type Rig, serverConfig, startServer } from './support.ts';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

describe('listening', () => {
  it('tells where', async () => {
    rig = await startServer();
    expect(rig).toMatchObject({ address: '127.0.0.1', port: expect.any(Number) });
    expect(rig.port).toBeGreaterThan(0);
  });

  it('on a port that is in use fails and says so', async () => {
    rig = await startServer();
    const { server } = buildServer({ port: rig.port });
    await expect(server.listen()).rejects.toThrow(`port ${rig.port} is in use`);
  });

  it('on an address of another machine fails and says so', async () => {
    const { server } = buildServer({ address: '192.0.2.1' });
    await expect(server.listen()).rejects.toThrow('192.0.2.1 is not an address of this machine');
  });

  it('on all addresses when none is given', async () => {
    rig = await startServer({ address: '' });
    expect((await call(`http://127.0.0.1:${rig.port}/ping`)).body).toBe('pong\n');
  });
});

describe('closing', () => {
  it('lets what is in flight finish, and takes no new connections', async () => {
    rig = await startServer();
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    rig.backend.onTake = () => {
      reached.resolve();
      return gate.promise;
    };
    const agent = new http.Agent({ keepAlive: true });
    const answer = call(rig.url, { method: 'POST', body: alertText(), agent });
    await reached.promise;
    const closed = rig.server.close(10_000);
    await expect(call(`${rig.url}/ping`)).rejects.toThrow('ECONNREFUSED');
    gate.resolve();
    expect((await answer).status).toBe(200);
    await closed;
    expect(rig.accepted).toBe(1);
    agent.destroy();
  });

  it.each(['/metrics', '/api/v1/alerts'])('lets a slow reader have all of %s', async path => {
    rig = await startServer();
    const output = 'x'.repeat(12_000_000);
    rig.backend.append([sealAlert(parseAlert(alertText({ output })).draft!)]);
    rig.backend.metrics = async () => ({ contentType: 'text/plain', text: output });
    const request = http.get(rig.url + path, { agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const closed = rig.server.close(10_000);
    await sleep(150);
    let length = 0;
    response.on('data', chunk => {
      length += chunk.length;
    });
    await once(response, 'end');
    expect(length).toBe(Number(response.headers['content-length']));
    await closed;
  });

  it('tells the sender of a request that is half there to close the connection behind its answer', async () => {
    rig = await startServer();
    const [socket, body] = [connect(rig.port, '127.0.0.1'), alertText()];
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`);
    await sleep(50);
    const closed = rig.server.close(10_000);
    socket.write(body.slice(9));
    const [answer] = await once(socket, 'data');
    expect(String(answer).split('\r\n')).toEqual(
      expect.arrayContaining(['HTTP/1.1 200 OK', 'Connection: close']),
    );
    await closed;
  });

  it('does not wait for idle connections', async () => {
    rig = await startServer();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    await call(rig.url, { method: 'POST', body: alertText(), agent });
    // Far more than the test may take.
    await rig.server.close(600_000);
    agent.destroy();
  });

  it('does not wait for connections that never sent anything', async () => {
    rig = await startServer();
    const socket = connect(rig.port, '127.0.0.1');
    await once(socket, 'connect');
    await call(`${rig.url}/ping`);
    await rig.server.close(600_000);
    socket.destroy();
  });

  it('cuts off what takes longer than the grace', async () => {
    rig = await startServer();
    const reached = Promise.withResolvers<void>();
    rig.backend.onTake = () => {
      reached.resolve();
      return new Promise(() => {});
    };
    const answer = post(rig.url, alertText());
    const failed = expect(answer).rejects.toThrow('socket hang up');
    await reached.promise;
    await rig.server.close(10);
    await failed;
  });

  it('ends those who follow the alerts', async () => {
    rig = await startServer();
    const request = http.get(`${rig.url}/api/v1/alerts?follow=true`, { agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const ended = once(response.resume(), 'end');
    await rig.server.close(600_000);
    await ended;
  });

  it('is harmless twice, and before the start', async () => {
    rig = await startServer();
    await Promise.all([rig.server.close(0), rig.server.close(0)]);
    await buildServer().server.close(0);
  });
});

it('takes new limits while it runs', async () => {
  rig = await startServer({ maxBodyBytes: 10 });
  expect((await post(rig.url, alertText())).status).toBe(413);
  const config = serverConfig({ port: 0, keepAliveMs: 90_000 });
  expect(rig.server.reconfigure(config)).toEqual([]);
  const agent = new http.Agent({ keepAlive: true });
  const answer = await call(rig.url, { method: 'POST', body: alertText(), agent });
  expect([answer.status, answer.headers['keep-alive']]).toEqual([200, 'timeout=90']);
  agent.destroy();
});
