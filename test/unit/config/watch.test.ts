import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ConfigWatch, watchConfig } from '../../../src/core/config/watch.ts';

let folder: string;
let watch: ConfigWatch | undefined;
let calls = 0;
let wake: (() => void) | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tiercel-watch-'));
  calls = 0;
});
afterEach(() => {
  watch?.close();
  rmSync(folder, { recursive: true, force: true });
});

function changed(): void {
  calls += 1;
  wake?.();
}

async function told(times: number): Promise<void> {
  while (calls < times) {
    await new Promise<void>(resolve => {
      wake = resolve;
    });
  }
}

const QUICK = { debounceMs: 5, pollMs: 20 };

describe('watching files', () => {
  test('tells of an edit, once for one change, and not of a rewrite with the same content', async () => {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, 'a');
    watch = await watchConfig([file], changed, QUICK);
    writeFileSync(file, 'a');
    writeFileSync(file, 'b');
    await told(1);
    writeFileSync(file, 'c');
    await told(2);
    expect(calls).toBe(2);
  });

  test('tells of a file that is moved into place, that goes, and that comes', async () => {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, 'a');
    watch = await watchConfig([file], changed, QUICK);
    writeFileSync(`${file}.new`, 'b');
    renameSync(`${file}.new`, file);
    await told(1);
    unlinkSync(file);
    await told(2);
    writeFileSync(file, 'c');
    await told(3);
  });

  test('tells of an edit beside a file that is written to all the time', async () => {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, 'a');
    watch = await watchConfig([file], changed, { debounceMs: 50, pollMs: 20 });
    const writing = setInterval(() => appendFileSync(join(folder, 'log'), 'x'), 5);
    try {
      writeFileSync(file, 'b');
      await told(1);
    } finally {
      clearInterval(writing);
    }
  });

  test('tells of a mounted Kubernetes volume that is swapped', async () => {
    const version = (name: string, text: string) => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'config.yaml'), text);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    version('..1', 'a');
    symlinkSync('..data/config.yaml', join(folder, 'config.yaml'));
    watch = await watchConfig([join(folder, 'config.yaml')], changed, QUICK);
    version('..2', 'b');
    await told(1);
    version('..3', 'c');
    await told(2);
  });

  test('polls where there is no folder to watch yet', async () => {
    const file = join(folder, 'later', 'config.yaml');
    watch = await watchConfig([file], changed, QUICK);
    mkdirSync(join(folder, 'later'));
    writeFileSync(file, 'a');
    await told(1);
  });

  test('takes up other files, and still tells of a change in one that was known before', async () => {
    const [one, two] = [join(folder, 'one'), join(folder, 'two')];
    writeFileSync(one, 'a');
    writeFileSync(two, 'a');
    watch = await watchConfig([one], changed, { debounceMs: 5, pollMs: 20 });
    writeFileSync(one, 'b');
    await watch.update([one, two]);
    await told(1);
    writeFileSync(two, 'b');
    await told(2);
  });

  test('goes on after a callback that fails, and is silent when closed', async () => {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, 'a');
    let fail = true;
    watch = await watchConfig(
      [file],
      () => {
        changed();
        if (fail) throw new Error('refused');
      },
      QUICK,
    );
    writeFileSync(file, 'b');
    await told(1);
    fail = false;
    writeFileSync(file, 'c');
    await told(2);
    watch.close();
    writeFileSync(file, 'd');
    const other = await watchConfig([file], changed, QUICK);
    writeFileSync(file, 'e');
    await told(3);
    other.close();
    expect(calls).toBe(3);
  });
});
