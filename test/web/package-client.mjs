// The package web/client as a page gets it: bundled and minified by its own esbuild.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const folder = new URL('../../web/client/', import.meta.url).pathname;
const { build } = createRequire(`${folder}package.json`)('esbuild');

const options = { bundle: true, minify: true, format: 'esm', target: 'es2022', write: false };

/** The minified text of the package, or of a program that imports it by its name. */
export async function bundle(contents) {
  const entry = contents === undefined
    ? { entryPoints: [`${folder}src/index.ts`] }
    : { stdin: { contents, resolveDir: folder, loader: 'ts' }, alias: { '@stepwise/client': `${folder}src/index.ts` } };
  const { outputFiles, warnings } = await build({ ...options, ...entry });
  if (warnings.length > 0) throw new Error(JSON.stringify(warnings));
  return outputFiles[0].text;
}

/** The package, imported. */
export async function load() {
  const place = await mkdtemp(join(tmpdir(), 'stepwise-client-'));
  try {
    const outfile = join(place, 'client.mjs');
    await build({ ...options, minify: false, entryPoints: [`${folder}src/index.ts`], write: true, outfile });
    return await import(outfile);
  } finally {
    await rm(place, { recursive: true });
  }
}

/** The program in the package's README. */
export async function example() {
  const text = await readFile(`${folder}README.md`, 'utf8');
  return text.match(/```ts\n(.*?)```/s)[1];
}
