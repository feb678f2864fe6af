import { describe, test } from 'vitest';

/**
 * `describe` for tests that want a real server. With a reason why there is none they are skipped and say so;
 * on CI (CI=true) they fail, so that a missing server never passes for a working one.
 */
export function describeWith(name: string, missing: string | undefined, body: () => void): void {
  if (missing === undefined) {
    describe(name, body);
    return;
  }
  const reason = `${missing}; scripts/services.sh installs it`;
  if (process.env.CI === 'true') {
    test(name, () => {
      throw new Error(reason);
    });
    return;
  }
  console.warn(`skipped: ${name}: ${reason}`);
  describe.skip(`${name} (${reason})`, body);
}
