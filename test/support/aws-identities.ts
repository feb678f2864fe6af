/**
 * A double of the services that give out AWS credentials, strict about who asks how:
 * - STS: docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and API_AssumeRoleWithWebIdentity.html
 * - the metadata service of instances, version 2: docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
 * - the endpoint of containers and pods: docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
import { answer, HttpSink, type Received } from './http-sink.ts';

const EXPIRES = '2099-01-01T00:00:00Z';

export interface AwsIdentities {
  origin: string;
  /** What was asked of whom, in order: `AssumeRole by AKID`, `GET /path`. */
  asked: string[];
  /** Takes questions and never answers. */
  isSilent: boolean;
  close(): Promise<void>;
}

/** Each source gives keys whose id names it: `STS1`, `WEB1`, `POD1`, `IMDS1`, counted up. */
export async function serveIdentities(expected: {
  role: string;
  externalId?: string;
  webToken: string;
  podToken: string;
}): Promise<AwsIdentities> {
  const asked: string[] = [];
  const given: Record<string, number> = {};
  const keysOf = (source: string) => {
    given[source] = (given[source] ?? 0) + 1;
    return { id: `${source}${given[source]}`, secret: 'temporary-secret', token: 'temporary-token' };
  };
  const xml = (action: string, source: string) => {
    const { id, secret, token } = keysOf(source);
    return `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials><AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey><SessionToken>${token}</SessionToken><Expiration>${EXPIRES}</Expiration></Credentials></${action}Result></${action}Response>`;
  };
  const json = (source: string) => {
    const { id, secret, token } = keysOf(source);
    return JSON.stringify({
      Code: 'Success',
      Type: 'AWS-HMAC',
      AccessKeyId: id,
      SecretAccessKey: secret,
      Token: token,
      Expiration: EXPIRES,
      LastUpdated: '2026-01-01T00:00:00Z',
    });
  };

  function sts({ headers, body }: Received): [number, string] {
    const form = new URLSearchParams(body);
    const action = form.get('Action') ?? '';
    const signer = /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1];
    asked.push(signer ? `${action} by ${signer}` : action);
    const known = form.get('RoleArn') === expected.role && form.get('RoleSessionName') !== null;
    if (
      action === 'AssumeRole' &&
      known &&
      signer &&
      form.get('ExternalId') === (expected.externalId ?? null)
    ) {
      return [200, xml(action, 'STS')];
    }
    const isWeb =
      action === 'AssumeRoleWithWebIdentity' && form.get('WebIdentityToken') === expected.webToken;
    if (isWeb && known && !signer) return [200, xml(action, 'WEB')];
    return [
      403,
      '<ErrorResponse><Error><Code>AccessDenied</Code><Message>S3cret</Message></Error></ErrorResponse>',
    ];
  }

  const role = '/latest/meta-data/iam/security-credentials/';
  function metadata({ method, target, headers }: Received): [number, string] {
    if (target === '/pod') {
      return headers.authorization === expected.podToken
        ? [200, json('POD')]
        : [403, '{"code":"AccessDenied"}'];
    }
    if (method === 'PUT' && target === '/latest/api/token') {
      return headers['x-aws-ec2-metadata-token-ttl-seconds'] ? [200, 'imds-token'] : [400, ''];
    }
    if (headers['x-aws-ec2-metadata-token'] !== 'imds-token') return [401, ''];
    if (target === role) return [200, 'node-role'];
    return target === `${role}node-role` ? [200, json('IMDS')] : [404, ''];
  }

  const sink = await HttpSink.listen((request, socket) => {
    const isSts = request.method === 'POST' && request.target === '/';
    if (!isSts) asked.push(`${request.method} ${request.target}`);
    const [status, body] = isSts ? sts(request) : metadata(request);
    if (!identities.isSilent) socket.write(answer(status, body));
  });
  const identities = { origin: sink.origin, asked, isSilent: false, close: () => sink.close() };
  return identities;
}
