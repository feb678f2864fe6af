import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeAlert, outputField, sealAlert } from '../../src/core/alert/alert.ts';
import { parseExact, withoutLoneSurrogates } from '../../src/core/alert/json.ts';
import { parseAlerts } from '../../src/core/alert/parse.ts';
import { memberSpans, nestingDepth, valueSpans } from '../../src/core/alert/scan.ts';
import { alertOf } from '../support/alerts.ts';
import {
  alertText,
  anyText,
  fieldsText,
  jsonText,
  nearlyAlertText,
  numberText,
} from '../support/arbitraries.ts';

const RUNS = { numRuns: 500 };

it('no body makes the parser throw, and each part of it is answered', () => {
  const bodies = fc.oneof(
    anyText,
    jsonText,
    nearlyAlertText,
    fc.array(nearlyAlertText).map(list => list.join('\n')),
  );
  fc.assert(
    fc.property(bodies, body => {
      const parsed = parseAlerts(body);
      expect(parsed.length).toBeGreaterThan(0);
      for (const { draft, refusal } of parsed) {
        expect((draft === undefined) !== (refusal === undefined)).toBe(true);
        if (draft) JSON.parse(sealAlert(draft).json);
      }
    }),
    RUNS,
  );
});

it('a body that is cut anywhere is refused, never taken in part', () => {
  fc.assert(
    fc.property(alertText, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (text, part) => {
      const cut = text.slice(0, Math.floor(text.length * part));
      expect(parseAlerts(cut).every(parsed => parsed.refusal !== undefined)).toBe(true);
    }),
    RUNS,
  );
});

it('an alert comes back from its bytes as it was', () => {
  fc.assert(
    fc.property(alertText, text => {
      const sealed = alertOf(text);
      const decoded = decodeAlert(Buffer.from(sealed.bytes));
      expect({ ...decoded }).toEqual({ ...sealed });
      expect(JSON.stringify(decoded.outputFields)).toBe(JSON.stringify(sealed.outputFields));
      expect(JSON.stringify(decoded.extra)).toBe(JSON.stringify(sealed.extra));
      expect(alertOf(sealed.json).json).toBe(sealed.json);
    }),
    RUNS,
  );
});

it('numbers keep every digit, in the text and in the values', () => {
  fc.assert(
    fc.property(fc.array(numberText, { minLength: 1, maxLength: 4 }), numbers => {
      const fields = `{${numbers.map((number, index) => `"n${index}":${number}`)},"in":{"list":[${numbers}]}}`;
      const text = `{"rule":"R","priority":"Error","time":"2026-01-31T12:00:00Z","output_fields":${fields}}`;
      const alert = alertOf(text);
      expect(alert.json).toContain(fields);
      numbers.forEach((number, index) => {
        expect(JSON.stringify(outputField(alert, `n${index}`))).toBe(number);
      });
      expect(JSON.stringify(alert.outputFields)).toBe(fields);
      expect(JSON.stringify(parseExact(fields))).toBe(fields);
    }),
    RUNS,
  );
});

it('halves of surrogate pairs are replaced, as in text that is no UTF-8', () => {
  fc.assert(
    fc.property(anyText, anyText, (name, text) => {
      const alert = alertOf(
        JSON.stringify({
          rule: 'R',
          priority: 'Error',
          time: '2026-01-31T12:00:00Z',
          output: text,
          output_fields: { [`f${name}`]: [text] },
          other: { [name]: text },
        }),
      );
      expect(alert.output).toBe(text.toWellFormed());
      expect(alert.outputFields).toEqual({ [`f${name}`.toWellFormed()]: [text.toWellFormed()] });
      expect(JSON.parse(alert.json).other).toEqual({ [name.toWellFormed()]: text.toWellFormed() });
    }),
    RUNS,
  );
});

it('single fields are those of the whole', () => {
  fc.assert(
    fc.property(fieldsText.map(withoutLoneSurrogates), text => {
      const body = `{"rule":"R","priority":"Error","time":"2026-01-31T12:00:00Z","output_fields":${text}}`;
      const whole = parseExact(text) as Record<string, unknown>;
      const lazy = alertOf(body);
      for (const name of Object.keys(whole)) {
        expect(JSON.stringify(outputField(lazy, name))).toBe(JSON.stringify(whole[name]));
      }
      expect(JSON.stringify(alertOf(body).outputFields)).toBe(JSON.stringify(whole));
    }),
    RUNS,
  );
});

it('spans hold the members that JSON.parse finds', () => {
  fc.assert(
    fc.property(fieldsText, text => {
      const last = new Map(memberSpans(text).map(({ key, start, end }) => [key, text.slice(start, end)]));
      const parsed = JSON.parse(text) as Record<string, unknown>;
      expect([...last.keys()].sort()).toEqual(Object.keys(parsed).sort());
      for (const [key, source] of last) expect(JSON.parse(source)).toEqual(parsed[key]);
    }),
    RUNS,
  );
});

it('texts that are no JSON do not make the scanner throw or hang', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        anyText,
        fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', ' ', '\n', 'a') }),
      ),
      text => {
        const pieces = valueSpans(text, 1000);
        expect(pieces.every(({ start, end }) => end > start)).toBe(true);
        expect(nestingDepth(text, 50)).toBeLessThanOrEqual(50);
      },
    ),
    RUNS,
  );
});
