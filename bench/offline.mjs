/** Preloaded with --import: no name but localhost can be resolved, so that nothing is asked beyond this machine. */
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { isIP } from 'node:net';

const { lookup } = dns;
const lookupLater = dns.promises.lookup;
const isOurs = name => name === 'localhost' || isIP(name) !== 0;

function failure(name) {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND', hostname: name });
}

dns.lookup = (name, ...rest) => {
  if (isOurs(name)) return lookup(name, ...rest);
  process.nextTick(rest.at(-1), failure(name));
};
dns.promises.lookup = async (name, ...rest) => {
  if (isOurs(name)) return lookupLater(name, ...rest);
  throw failure(name);
};
syncBuiltinESMExports();
