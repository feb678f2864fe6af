/**
 * Prints what the program is made of as a CycloneDX 1.5 document, from package-lock.json: the packages that run, with
 * their licences and checksums. The same lock gives the same text, so that images can be compared byte by byte.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

interface LockedPackage {
  version?: string;
  resolved?: string;
  integrity?: string;
  license?: string;
  dev?: boolean;
  devOptional?: boolean;
}

interface Manifest {
  name: string;
  version: string;
  license: string;
  description: string;
}

const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const { name, version, license, description } = read('package.json') as Manifest;
const { packages } = read('package-lock.json') as { packages: Record<string, LockedPackage> };

function licences(id: string | undefined) {
  if (!id) return [];
  return /^[A-Za-z0-9.+-]+$/.test(id) ? [{ license: { id } }] : [{ expression: id }];
}

/** `sha512-<base64>` as CycloneDX writes it. */
function hashes(integrity: string | undefined) {
  return (integrity ?? '')
    .split(' ')
    .map(one => /^sha(\d+)-(.+)$/.exec(one))
    .filter(part => part !== null)
    .map(([, bits, digest]) => ({
      alg: `SHA-${bits}`,
      content: Buffer.from(digest!, 'base64').toString('hex'),
    }));
}

const purl = (packageName: string, packageVersion: string) =>
  `pkg:npm/${packageName.replace('@', '%40')}@${packageVersion}`;

const components = Object.entries(packages)
  // What was left out of the installation, such as tools, is not in the image.
  .filter(([path, { dev }]) => path !== '' && !dev && existsSync(path))
  .map(([path, locked]) => {
    const packageName = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    return {
      type: 'library',
      'bom-ref': path,
      name: packageName,
      version: locked.version!,
      purl: purl(packageName, locked.version!),
      licenses: licences(locked.license),
      hashes: hashes(locked.integrity),
    };
  })
  .sort((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1));

// A version 8 UUID made of the content, in place of a random one.
const hex = createHash('sha256').update(JSON.stringify(components)).digest('hex');
const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
const main = {
  type: 'application',
  'bom-ref': name,
  name,
  version,
  description,
  licenses: licences(license),
};
const document = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  serialNumber: `urn:uuid:${uuid}`,
  version: 1,
  metadata: { component: { ...main, purl: purl(name, version) } },
  components,
};
process.stdout.write(`${JSON.stringify(document, null, 1)}\n`);
