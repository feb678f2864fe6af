/**
 * Builds dist from src. The compiler is a package of its own for each platform, which `npm ci --omit=optional` leaves
 * out; Node.js takes the types away then, which is all that the compiler does with this code besides checking it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = module.createRequire(import.meta.url);

/** The start script of the compiler; undefined where it would find no program for this platform. */
function findCompiler() {
  try {
    require.resolve(`@typescript/typescript-${process.platform}-${process.arch}/package.json`);
    return join(dirname(require.resolve('typescript/package.json')), 'lib', 'tsc.js');
  } catch {
    return undefined;
  }
}

function stripAll() {
  const sources = readdirSync(join(root, 'src'), { recursive: true });
  for (const file of sources.filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts'))) {
    const text = module.stripTypeScriptTypes(readFileSync(join(root, 'src', file), 'utf8'));
    const target = join(root, 'dist', file.replace(/ts$/, 'js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text.replace(/(\b(?:from|import) ?\(?'\.{1,2}\/[^']+\.)ts(?=')/g, '$1js'));
  }
}

rmSync(join(root, 'dist'), { recursive: true, force: true });
const compiler = findCompiler();
if (compiler) {
  const args = [compiler, '-p', 'tsconfig.build.json'];
  process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
} else {
  console.warn('The TypeScript compiler is not installed: built without checking types.');
  stripAll();
}
