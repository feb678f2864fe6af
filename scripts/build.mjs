/**
 * Builds dist from src: checks the types, then puts the modules together into few files, which saves a quarter of the
 * start. Compiler and bundler are packages of their own for each platform, which `npm ci --omit=optional` leaves out;
 * Node.js takes the types away then, file by file.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = module.createRequire(import.meta.url);

/** False when the compiler has found something; true also where it has no program for this platform. */
function checkTypes() {
  try {
    require.resolve(`@typescript/typescript-${process.platform}-${process.arch}/package.json`);
  } catch {
    console.warn('The TypeScript compiler is not installed: built without checking types.');
    return true;
  }
  const compiler = join(dirname(require.resolve('typescript/package.json')), 'lib', 'tsc.js');
  const args = [compiler, '-p', 'tsconfig.build.json'];
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** Undefined where the bundler has no program for this platform. */
async function findBundler() {
  try {
    return await import('rolldown');
  } catch {
    console.warn('The bundler is not installed: built file by file, which takes longer to start.');
    return undefined;
  }
}

/** What is imported when it is needed stays in files of its own; packages stay where they are. */
async function bundle({ rolldown }) {
  const bundled = await rolldown({
    input: join(root, 'src', 'main.ts'),
    platform: 'node',
    external: /^[^./]/,
  });
  // All in one folder, at the same distance from package.json and node_modules as in src.
  await bundled.write({
    dir: join(root, 'dist'),
    chunkFileNames: '[name].js',
  });
  await bundled.close();
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

/** Whether `npm ci` has been run: without packages a build ends in what only its author understands. */
function hasPackages() {
  try {
    return Boolean(require.resolve('zod'));
  } catch {
    console.error('The packages are not installed: run `npm ci` first.');
    return false;
  }
}

if (!hasPackages()) process.exit(1);
rmSync(join(root, 'dist'), { recursive: true, force: true });
if (checkTypes()) {
  const bundler = await findBundler();
  if (bundler) await bundle(bundler);
  else stripAll();
} else process.exitCode = 1;
