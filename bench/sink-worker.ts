/** The thread with the far ends of a run. */
import { parentPort, workerData } from 'node:worker_threads';
import { nowMs } from './clock.ts';
import { HttpSink } from './http-sink.ts';
import { Tally } from './ledger.ts';
import { findMarks } from './marker.ts';
import type { FromSinks, SinkSpec, SinkWorkerData, ToSinks } from './sink.ts';
import type { HttpSinkKind } from './sink-answers.ts';
import { countKafka, countNats } from './subscribers.ts';

const { run, sinks } = workerData as SinkWorkerData;
const tell = (message: FromSinks) => parentPort!.postMessage(message);
const httpSinks = new Map<number, HttpSink>();

async function open(spec: SinkSpec, tally: Tally, index: number): Promise<number> {
  const record = (body: Buffer, atMs = nowMs()) => {
    const marks = findMarks(body, run);
    if (marks.length === 0) tally.add('unmarked');
    for (const mark of marks) tally.record(mark, atMs);
  };
  if (spec.kind === 'nats' || spec.kind === 'kafka') {
    const count = spec.kind === 'nats' ? countNats : countKafka;
    await count(spec.server!, body => {
      tally.add('requests');
      record(body);
    });
    return 0;
  }
  const sink = new HttpSink(spec.kind as HttpSinkKind, spec.tls, tally, record);
  httpSinks.set(index, sink);
  await sink.listen();
  return sink.port;
}

parentPort!.on('message', async ({ id, sink, behave }: ToSinks) => {
  await httpSinks.get(sink)?.behave(behave);
  tell({ done: id });
});

try {
  tell({ ports: await Promise.all(sinks.map((spec, index) => open(spec, new Tally(spec.tally), index))) });
} catch (error) {
  tell({ error: (error as Error).message });
}
