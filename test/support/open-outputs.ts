/**
 * Opens outputs in a process of its own and prints what came of it: `{"aws.sqs": "open"}`, or the error's message. The
 * argument is a JSON map of names to settings; every output of the registry that it does not name is opened with its
 * example.
 */
import { identityAnswer } from '../../scripts/gen/identity.ts';
import type { HttpClient } from '../../src/core/contract.ts';
import { outputs } from '../../src/outputs/index.ts';
import { hostOf } from './services/drive.ts';

const settings = JSON.parse(process.argv[2] ?? '{}') as Record<string, object>;
const http: HttpClient = {
  send: async request => identityAnswer(request) ?? { status: 200, headers: {}, body: '{}' },
};
const host = { ...hostOf(), http, connect: () => http };
const results: Record<string, string> = {};
for (const definition of outputs) {
  const config = definition.keys.parse(settings[definition.name] ?? definition.example);
  try {
    const output = await definition.open(config as never, host);
    await output.close?.();
    results[definition.name] = 'open';
  } catch (error) {
    results[definition.name] = error instanceof Error ? error.message : String(error);
  }
}
process.stdout.write(JSON.stringify(results), () => process.exit());
