import { keepLatest } from '../_kit/latest.ts';

/**
 * Hosts of workflows, which take Adaptive Cards only; all others are taken for connectors. Those that "When an HTTP
 * request is received" has in the public, government and Chinese clouds, by
 * learn.microsoft.com/power-automate/ip-address-configuration, and the portal's own.
 */
const WORKFLOW_HOSTS = [
  'logic.azure.com',
  'logic.azure.us',
  'logic.azure.cn',
  'powerautomate.com',
  'powerplatform.com',
  'powerplatform.microsoft.us',
  'appsplatform.us',
  'powerplatform.partner.microsoftonline.cn',
];

export const isWorkflow = keepLatest((url: string): boolean => {
  const host = URL.parse(url)?.hostname ?? '';
  return WORKFLOW_HOSTS.some(known => host === known || host.endsWith(`.${known}`));
});
