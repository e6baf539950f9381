// Every document that a test sends, or that our TypeScript example shows, is
// valid against the schema that the server is generated from.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { buildSchema, parse, validate } from 'graphql';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const schema = buildSchema(read('../../schema.graphqls'));

for (const folder of ['documents', 'codegen']) {
  const files = readdirSync(new URL(folder, import.meta.url)).filter((name) => name.endsWith('.graphql'));
  test(`there are documents in ${folder}`, () => assert.notEqual(files.length, 0));
  for (const file of files) {
    test(`${folder}/${file} is valid`, () => {
      const errors = validate(schema, parse(read(`${folder}/${file}`)));
      assert.deepEqual(errors.map(String), []);
    });
  }
}
