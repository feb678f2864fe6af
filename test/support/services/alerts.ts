import type { Alert } from '../../../src/core/alert/alert.ts';
import { alertOf } from '../alerts.ts';

/** Digits that a double cannot hold. */
export const EXACT_TIME = '1743606903434319636';

const FIELDS = `{"evt.time":${EXACT_TIME},"container.id":"7f3c2a","k8s.ns.name":7,"proc.tty":null}`;

/** An alert as Falco sends it; top-level values, and all of the output fields, may be put in place of the usual ones. */
export function falcoAlert(change: Record<string, unknown> = {}, fields?: Record<string, unknown>): Alert {
  const falco = JSON.stringify({
    hostname: 'node-1',
    output: '10:15:02.123456789: Warning A shell was opened (user=ada shell=zsh)',
    priority: 'Warning',
    rule: 'Shell opened in container',
    source: 'syscall',
    tags: ['shell'],
    time: '2026-03-04T10:15:02.123456789Z',
    ...change,
  });
  return alertOf(`${falco.slice(0, -1)},"output_fields":${fields ? JSON.stringify(fields) : FIELDS}}`);
}

/** That many alerts, each with a text of its own. */
export function falcoAlerts(count: number, change: Record<string, unknown> = {}): Alert[] {
  return Array.from({ length: count }, (_, index) => falcoAlert({ ...change, output: `alert ${index}` }));
}
