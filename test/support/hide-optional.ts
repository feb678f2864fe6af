/** Preloaded with --import: the packages that `npm ci --omit=optional` leaves out cannot be found. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

interface Lock {
  packages: Record<string, { optional?: boolean; dev?: boolean }>;
}

const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as Lock;
const hidden = Object.entries(lock.packages)
  .filter(([, { optional }]) => optional)
  .map(([path]) => `/${path}/`);

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    if (!hidden.some(path => found.url.includes(path))) return found;
    const error = new Error(`Cannot find package '${specifier}'`);
    throw Object.assign(error, { code: 'ERR_MODULE_NOT_FOUND' });
  },
});
