import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeAlert, sealAlert } from '../../src/core/alert/alert.ts';
import { parseAlert } from '../../src/core/alert/parse.ts';
import type { EnrichConfig } from '../../src/core/config/types.ts';
import { cutBytes } from '../../src/core/enrich/cut.ts';
import { createEnricher } from '../../src/core/enrich.ts';
import { alertText, anyText } from '../support/arbitraries.ts';
import { draftOf, NO_ENRICHMENT } from '../support/drafts.ts';
import { recordingLogger } from '../support/logger.ts';

const RUNS = { numRuns: 300 };

const config: fc.Arbitrary<EnrichConfig> = fc.record({
  customFields: fc.dictionary(fc.oneof(anyText, fc.constantFrom('a', 'k8s.ns.name', '__proto__')), anyText, {
    maxKeys: 3,
  }),
  customTags: fc.array(anyText, { maxLength: 2 }),
  templatedFields: fc.dictionary(
    fc.constantFrom('t1', 'a', 'proc.aname[2]'),
    fc.constantFrom(
      '{{ index . "a" }}',
      '{{ .a.b.c }}',
      '{{ slice .a 3 }}',
      '{{ range . }}{{ . }}{{ end }}',
      '{{ len .a }}',
    ),
  ),
  bracketReplacer: fc.constantFrom('', '_', '.', '$1'),
  outputFieldFormat: fc.constantFrom('', '<timestamp> <output> (<custom_fields> <templated_fields>) <tags>'),
  longFields: fc.constantFrom('keep', 'cut'),
});

it('no alert and no configuration make it throw, and what comes out is an alert', () => {
  fc.assert(
    fc.property(config, alertText, (settings, text) => {
      const draft = parseAlert(text).draft!;
      createEnricher(settings, { log: recordingLogger(), clock: { monotonic: () => 0 } })(draft);
      const alert = sealAlert(draft);
      expect(JSON.stringify(decodeAlert(alert.bytes).outputFields)).toBe(JSON.stringify(alert.outputFields));
      expect(alert.source).not.toBe('');
      for (const [name, value] of Object.entries(settings.customFields)) {
        if (name in settings.templatedFields || name.includes('[')) continue;
        const found = alert.outputFields[name] as string;
        expect(
          settings.longFields === 'cut' && found.endsWith('[...]')
            ? value.startsWith(found.slice(0, -5))
            : found === value,
        ).toBe(true);
      }
    }),
    RUNS,
  );
});

it('cuts never split a character and stay within the bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, bytes) => {
      const cut = cutBytes(text, bytes);
      expect(text.startsWith(cut)).toBe(true);
      expect(cut.isWellFormed()).toBe(true);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(bytes);
      const next = [...text.slice(cut.length)][0];
      if (next !== undefined) expect(Buffer.byteLength(cut + next)).toBeGreaterThan(bytes);
    }),
  );
});

it('tags are ordered by their bytes, few and many', () => {
  const wellFormed = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'a', 'a1')), {
    maxLength: 40,
  });
  const enrich = createEnricher(NO_ENRICHMENT, { log: recordingLogger(), clock: { monotonic: () => 0 } });
  fc.assert(
    fc.property(wellFormed, tags => {
      const byBytes = [...tags].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const draft = draftOf({ tags });
      enrich(draft);
      expect(draft.tags).toEqual(byBytes);
    }),
  );
});
