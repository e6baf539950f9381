// The recipe for typed clients in codegen/: its types are generated from the
// schema, compile under tsc --strict, and the compiled client signs a person up.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import WebSocket from 'ws';

const folder = `${import.meta.dirname}/codegen`;
const run = (script) => promisify(execFile)('npm', ['run', '--silent', script], { cwd: folder });

async function clean() {
  await rm(`${folder}/generated.ts`, { force: true });
  await rm(`${folder}/build`, { force: true, recursive: true });
}

before(clean);
after(clean);

test('types are generated and compile, and the client works', async (t) => {
  await t.test('generate', () => run('generate'));

  await t.test('compile under --strict', async () => {
    // tsc reports on standard output.
    await run('check').catch(({ stdout, message }) => assert.fail(stdout || message));
  });

  await t.test('sign up', async () => {
    const { codeSentTo, graphqlURL, newPerson } = await import('./server.mjs');
    const { SignUpClient, signUp } = await import(`${folder}/build/client.js`);
    const person = newPerson();
    const states = [];
    const userId = await signUp(
      new SignUpClient(graphqlURL, WebSocket),
      person,
      ({ status }) => states.push(status),
      () => codeSentTo(person.emailAddress),
    );
    assert.match(userId, /^user_/);
    assert.equal(states.at(-1), 'COMPLETE');
  });
});
