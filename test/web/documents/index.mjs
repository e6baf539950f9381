// The GraphQL documents of these tests, by operation name. They are kept as
// files so that they can be held against the schema and copied from.
import { readFileSync, readdirSync } from 'node:fs';
import { getOperationAST, parse } from 'graphql';

export const documents = {};

for (const file of readdirSync(import.meta.dirname).filter((name) => name.endsWith('.graphql'))) {
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  documents[getOperationAST(parse(text)).name.value] = text;
}
