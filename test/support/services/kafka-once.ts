/** A process that sends one alert to Kafka, idles a moment and ends: what it writes is what Node has to say about it. */
import { setTimeout as sleep } from 'node:timers/promises';
import kafka from '../../../src/outputs/kafka/index.ts';
import { falcoAlert } from './alerts.ts';
import { openOutput, trySend } from './drive.ts';

const [hostport, topic] = process.argv.slice(2);
const output = await openOutput(kafka, { hostport, topic });
await trySend(output, [falcoAlert()]);
await sleep(200);
await output.close!();
