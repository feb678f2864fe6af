import { gzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import { Unpacker } from '../../../src/core/http-server/body.ts';

const counts = vi.hoisted(() => ({ now: 0, most: 0 }));
vi.mock('node:zlib', async original => {
  const zlib = await original<typeof import('node:zlib')>();
  const gunzip = (...[body, options, done]: Parameters<typeof zlib.gunzip>) => {
    counts.most = Math.max(counts.most, ++counts.now);
    zlib.gunzip(body, options as object, (error, result) => {
      counts.now--;
      (done as typeof options & ((error: Error | null, result: Buffer) => void))(error, result);
    });
  };
  return { ...zlib, gunzip };
});

test('bodies are unpacked a few at a time, in their order, and count until they are', async () => {
  const pending = { bytes: 0 };
  const unpacker = new Unpacker(pending);
  const packed = Array.from({ length: 40 }, (_, index) => gzipSync(`body ${index}`));
  const done: string[] = [];
  await new Promise<void>(resolve => {
    for (const body of packed) {
      unpacker.unpack(body, 'gzip', 1000, (problem, plain) => {
        done.push(problem ?? plain.toString());
        if (done.length === packed.length) resolve();
      });
    }
    expect(pending.bytes).toBe(packed.reduce((sum, body) => sum + body.length, 0));
  });
  expect(done.sort()).toEqual(packed.map((_, index) => `body ${index}`).sort());
  expect(counts.most).toBeLessThanOrEqual(4);
  expect(pending.bytes).toBe(0);
});
