// Makes src/generated from schema.graphqls and operations.graphql:
//
//   node generate.mjs           writes it
//   node generate.mjs --check   fails if it is not what a run gives
//
// types.ts is what GraphQL Code Generator says; documents.ts has the operations as
// text, short, with the fragments that each needs, so that nothing parses at run time.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generate, loadContext } from '@graphql-codegen/cli';
import { parse, stripIgnoredCharacters, print, visit } from 'graphql';

const here = import.meta.dirname ?? dirname(new URL(import.meta.url).pathname);
const folder = join(here, 'src', 'generated');
process.chdir(here);

/** The names of the fragments that a definition spreads, itself and by others. */
function spreads(definition, fragments, names = new Set()) {
  visit(definition, {
    FragmentSpread({ name: { value } }) {
      if (!names.has(value)) spreads(fragments.get(value), fragments, names.add(value));
    },
  });
  return names;
}

function documents() {
  const { definitions } = parse(readFileSync(join(here, 'operations.graphql'), 'utf8'));
  const fragments = new Map();
  for (const one of definitions) if (one.kind === 'FragmentDefinition') fragments.set(one.name.value, one);
  const text = (definition) => JSON.stringify(stripIgnoredCharacters(print(definition)));
  const kinds = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' };
  const types = [];
  const constants = [];
  for (const one of definitions) {
    if (one.kind !== 'OperationDefinition') continue;
    const name = one.name.value;
    const result = `${name}${kinds[one.operation]}`;
    types.push(result, `${result}Variables`);
    const parts = [...spreads(one, fragments)].map((fragment) => ` + on${fragment}`);
    constants.push(`export const ${name}: Operation<${result}, ${result}Variables> =\n  ${text(one)}${parts.join('')};`);
  }
  return [
    '// Made by generate.mjs.',
    "import type { Operation } from '../wire.ts';",
    `import type {\n${types.map((name) => `  ${name},`).join('\n')}\n} from './types.ts';`,
    ...[...fragments].map(([name, fragment]) => `const on${name} =\n  ${text(fragment)};`),
    ...constants,
  ].join('\n\n') + '\n';
}

async function build() {
  const context = await loadContext('codegen.yml');
  context.updateConfig({ silent: true });
  const [types] = await generate(context, false);
  return new Map([['types.ts', `// Made by generate.mjs.\n${types.content}`], ['documents.ts', documents()]]);
}

const files = await build();
if (process.argv.includes('--check')) {
  const present = (name) => {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch {
      return undefined;
    }
  };
  const old = [...files].filter(([name, text]) => present(name) !== text).map(([name]) => name);
  if (old.length > 0) {
    console.error(`web/client/src/generated is out of date (${old.join(', ')}): run npm run generate in web/client/`);
    process.exit(1);
  }
  console.log('web/client/src/generated is up to date');
} else {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
}
