import { beforeAll, describe, expect, test } from 'vitest';
import {
  chartArguments,
  checkSchemas,
  helm,
  missingHelm,
  missingKubeconform,
  schemaVersions,
  valueSets,
  valuesFile,
} from '../support/services/helm.ts';
import { describeWith } from '../support/services/need.ts';

describeWith('against the schemas of Kubernetes', missingHelm() ?? missingKubeconform(), () => {
  test('there are several versions of them', () => {
    expect(schemaVersions().length).toBeGreaterThanOrEqual(3);
  });

  describe.each(missingKubeconform() ? [] : schemaVersions())('%s', version => {
    let text = '';
    beforeAll(async () => {
      const texts: string[] = [];
      for (const set of valueSets) {
        // Names differ, so that a mistake can be told apart.
        const args = chartArguments({ release: set, files: [valuesFile(set)], validated: false });
        texts.push((await helm(['template', ...args, '--kube-version', `${version}.0`])).stdout);
      }
      text = texts.join('\n---\n');
    }, 180_000);

    test('every set of values renders objects that fit', async () => {
      expect(text.match(/^kind: (StatefulSet|Deployment)$/gm)).toHaveLength(valueSets.length);
      expect(await checkSchemas(text, version)).toBe('');
    });

    test('and what does not fit is found', async () => {
      const broken = text.replace('imagePullPolicy:', 'imagePullPolice:');
      expect(await checkSchemas(broken, version)).toContain('imagePullPolice');
    });
  });
});

describeWith('helm lint', missingHelm(), () => {
  test.each(valueSets)('has nothing against %s', async set => {
    const { code, stdout, stderr } = await helm([
      'lint',
      '--strict',
      '--values',
      valuesFile(set),
      chartArguments({})[1]!,
    ]);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).not.toContain('[WARNING]');
  });
});
