import { toLabelName } from '../_kit/names.ts';
import { type AlertmanagerConfig, toPriority } from './alert.ts';
import { parseDropThresholds } from './drops.ts';

/** What of the settings cannot be used. */
export function* problems(
  config: AlertmanagerConfig,
): Generator<{ path: string; message: string; hint?: string }> {
  for (const [index, host] of config.hostport.entries()) {
    if (!/^https?:$/.test(URL.parse(host)?.protocol ?? '')) {
      yield { path: `hostport[${index}]`, message: 'expected a URL that starts with http:// or https://' };
    }
  }
  for (const name of Object.keys(config.extralabels)) {
    if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) continue;
    yield {
      path: `extralabels.${name}`,
      message: 'not a label name',
      hint: `did you mean ${toLabelName(name)}?`,
    };
  }
  for (const [name, severity] of Object.entries(config.customseveritymap)) {
    if (toPriority(name) && severity !== '') continue;
    yield { path: `customseveritymap.${name}`, message: 'expected a priority and its severity' };
  }
  if (!parseDropThresholds(config.dropeventthresholds)) {
    yield { path: 'dropeventthresholds', message: 'expected a list such as 1000:critical, 10:warning' };
  }
}
