/** An output with a `template.body`, as the daemon opens it. */
import type { z } from 'zod';
import type { Host, Output, OutputDefinition } from '../../../src/core/contract.ts';
import { OutputTemplates, templateBodyOf } from '../../../src/core/output-template.ts';

/** Opens it; a template that fails on an alert throws. */
export async function openTemplated<S extends z.ZodObject>(
  definition: OutputDefinition<S>,
  config: Record<string, unknown>,
  body: string,
  host: Host,
): Promise<Output> {
  const parsed = definition.keys.parse(config) as z.output<S>;
  const templates = new OutputTemplates(
    { body, text: '', title: '' },
    {
      headers: {},
      body: templateBodyOf(definition as unknown as OutputDefinition, parsed as Record<string, unknown>),
      failed(error) {
        throw error;
      },
    },
  );
  const output = await definition.open(parsed, { ...host, http: templates.client(host.http) });
  return { ...output, send: (alerts, context) => templates.send(output, alerts, context) };
}
