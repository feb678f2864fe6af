/** The disk driver and a power cut: what has been brought to the device by then. */
import { expect, test, vi } from 'vitest';
import { PermanentError } from '../../src/core/errors.ts';
import type { DeadLetter, OwnDeadLetters } from '../../src/core/spool/contract.ts';
import { LetterBox } from '../support/delivery.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { drain, numberedTo, numberOf, openOn, pullAll, SPOOL } from '../support/spool.ts';

const refused = new PermanentError('no', { reason: 'client_error' });

/** A box whose letters are on the device when it was synced after them. */
class DeviceBox extends LetterBox implements OwnDeadLetters {
  onWritten: (() => void) | undefined;
  onDevice: readonly DeadLetter[] = [];
  /** Called while the device is busy. */
  busy = () => {};

  override async add(letter: Omit<DeadLetter, 'id'>): Promise<number> {
    const id = await super.add(letter);
    this.onWritten?.();
    return id;
  }

  async sync(): Promise<void> {
    const letters = [...this.letters];
    if (letters.length === this.onDevice.length) return;
    await new Promise(setImmediate);
    this.busy();
    this.onDevice = letters;
  }
}

test('a letter is brought to the device within about a second, also when no alert comes after it', async () => {
  const box = new DeviceBox();
  const spool = await openOn(new MemoryFiles(), {}, { deadLetters: box });
  const consumer = spool.consumer('a');
  await spool.append(numberedTo(1));
  const [delivery] = await pullAll(consumer, 1);
  // The sync for the alert is over.
  await new Promise(resolve => setTimeout(resolve, 1_200));
  await delivery!.bury(refused);
  await vi.waitFor(() => expect(box.onDevice.map(numberOf)).toEqual([1]), { timeout: 3_000 });
  await spool.close();
}, 20_000);

test('cursors on the device are past no letter that is not there', async () => {
  const box = new DeviceBox();
  const files = new MemoryFiles();
  const spool = await openOn(files, {}, { deadLetters: box });
  const consumer = spool.consumer('a');
  await spool.append(numberedTo(10));
  const deliveries = await pullAll(consumer, 10);
  for (const delivery of deliveries.slice(0, 2)) await delivery.bury(refused);
  // Alerts go on being given up while the device is busy with letters.
  let next = 2;
  box.busy = () => {
    if (next < 9) void deliveries[next++]!.bury(refused);
  };
  const cuts: { files: MemoryFiles; letters: number[] }[] = [];
  const rename = files.rename.bind(files);
  files.rename = (from, to) => {
    rename(from, to);
    if (to === `${SPOOL.path}/cursors.backup`) {
      cuts.push({ files: files.copyAll(), letters: box.onDevice.map(numberOf) });
    }
  };
  await vi.waitFor(() => expect(cuts.length).toBeGreaterThan(0), { timeout: 3_000 });
  await spool.close();
  for (const { files: left, letters } of cuts) {
    // Renamed without a sync, it may be lost.
    left.contents.delete(`${SPOOL.path}/cursors`);
    const again = await openOn(left);
    const redelivered = (await drain(again.consumer('a'))).map(numberOf);
    expect([...letters, ...redelivered].sort((a, b) => a - b)).toEqual(
      expect.arrayContaining([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    );
    await again.close();
  }
}, 20_000);
