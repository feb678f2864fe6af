/** The keys that all outputs of a cloud share: whose keys sign, and where. Each can stand in the section above too. */
import { flag, secret, text } from '../../../core/keys.ts';

/** What the shared keys give. */
export interface AwsSettings {
  region: string;
  accesskeyid: string;
  secretaccesskey: string;
  rolearn?: string;
  externalid?: string;
  checkidentity?: boolean;
}

const ABOVE = 'also taken from the section above for all outputs there';

/** Keys of outputs to AWS. */
export const awsKeys = {
  region: text(
    `Region (${ABOVE}); empty: that of the address, or else AWS_DEFAULT_REGION or the profile decides.`,
  ),
  accesskeyid: text(
    `Access key (${ABOVE}). Empty: environment, web identity (IRSA), pod identity, profile, container and instance metadata are asked, in the order of the AWS SDK.`,
  ),
  secretaccesskey: secret(`Secret of the access key (${ABOVE}).`),
  rolearn: text(`Role that is assumed with these credentials (${ABOVE}).`),
  externalid: secret(`External id that the role asks for (${ABOVE}).`),
  checkidentity: flag(
    `Asks STS at the start whose credentials these are, for the log (${ABOVE}). Nothing waits for the answer.`,
    true,
  ),
};

/** Keys of outputs to services of Yandex Cloud that speak AWS's protocols. */
export const yandexKeys = {
  accesskeyid: text(`Static access key of the service account (${ABOVE}).`),
  secretaccesskey: secret(`Secret of the access key (${ABOVE}).`),
  region: text(`Region (${ABOVE}).`, 'ru-central1'),
};

/** For `check`: half a pair of keys. */
export function keyProblems({ accesskeyid, secretaccesskey }: AwsSettings) {
  if ((accesskeyid === '') === (secretaccesskey === '')) return [];
  const path = accesskeyid === '' ? 'accesskeyid' : 'secretaccesskey';
  return [{ path, message: 'accesskeyid and secretaccesskey are set together or not at all' }];
}

/** For `check` where no other credentials are looked for. */
export function staticKeyProblems({ accesskeyid, secretaccesskey }: AwsSettings) {
  const empty = accesskeyid === '' && secretaccesskey === '';
  return empty ? [{ path: 'accesskeyid', message: 'accesskeyid and secretaccesskey have to be set' }] : [];
}
