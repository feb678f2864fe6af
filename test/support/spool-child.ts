/**
 * A process that appends to a disk spool until it is killed, and says which alerts were answered.
 * Arguments: folder, number of the first alert.
 */
import { writeSync } from 'node:fs';
import { openSpool } from '../../src/core/spool/open.ts';
import { recordingLogger } from './logger.ts';
import { numbered, numberOf, realClock, SPOOL } from './spool.ts';

const [path, first] = process.argv.slice(2) as [string, string];
const config = { ...SPOOL, driver: 'disk' as const, path, segmentBytes: 64 * 1024 };
const spool = await openSpool(config, { clock: realClock, log: recordingLogger() });
const consumer = spool.consumer('reader');
spool.consumer('stuck');
const signal = new AbortController().signal;

async function read(): Promise<void> {
  for (;;) {
    for (const delivery of await consumer.pull(10, signal)) {
      delivery.ack();
      writeSync(1, `acked ${numberOf(delivery)}\n`);
    }
  }
}

async function write(from: number): Promise<void> {
  for (let number = from; ; number += 4) {
    await spool.append([numbered(number)]);
    writeSync(1, `answered ${number}\n`);
  }
}

void read();
for (let lane = 0; lane < 4; lane++) void write(Number(first) + lane);
