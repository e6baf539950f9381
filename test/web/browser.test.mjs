// A person signs up in a real browser, once on a page of another origin in
// bearer mode, once on a page of the API's own origin with a cookie.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { launch } from './chromium.mjs';
import { documents } from './documents/index.mjs';
import { baseURL, codeSentTo, graphqlURL, newPerson, verifyToken } from './server.mjs';

const types = { html: 'text/html', mjs: 'text/javascript', js: 'text/javascript', json: 'application/json' };

/** The files of the page, by the last parts of their address. */
async function file(path, mode) {
  if (path === 'settings.json') {
    return JSON.stringify({ url: graphqlURL, mode, documents });
  }
  const [folder, name] = path.startsWith('graphql-ws/') ? ['node_modules/graphql-ws/dist', path.slice('graphql-ws/'.length)] : ['browser', path];
  assert.match(name, /^[\w.-]+$/);
  return readFile(`${import.meta.dirname}/${folder}/${name}`);
}

let browser;
const pages = createServer(async (request, response) => {
  try {
    const path = request.url.slice(1);
    const content = await file(path, 'bearer');
    response.setHeader('Content-Type', types[path.split('.').pop()]);
    response.end(content);
  } catch (error) {
    response.statusCode = 404;
    response.end(String(error));
  }
});

before(async () => {
  pages.listen(0, 'localhost');
  await once(pages, 'listening');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  pages.close();
});

/** Gives act a page of a fresh browser profile on which nothing may go wrong. */
async function onFreshPage(act) {
  const context = await browser.newContext();
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure().errorText}`));
  try {
    await act(page, context);
  } catch (error) {
    throw complaints.length > 0 ? new Error(complaints.join('\n'), { cause: error }) : error;
  } finally {
    await context.close();
  }
  assert.deepEqual(complaints, []);
}

/** What the person does; returns the claims of the session token at the end. */
async function signUp(page) {
  const person = newPerson();
  await page.getByLabel('Email').fill(person.emailAddress);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign up' }).click();

  const events = page.getByRole('list', { name: 'Events' }).getByRole('listitem');
  await events.first().waitFor();
  await page.getByLabel('Code').fill(await codeSentTo(person.emailAddress));
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText('The sign-up has ended.').waitFor();

  const seen = (await events.allTextContents()).map((text) => text.split(' '));
  const revisions = seen.map(([revision]) => Number(revision));
  assert.ok(revisions.length >= 2, `only ${revisions.length} events`);
  assert.deepEqual(revisions, [...new Set(revisions)].sort((a, b) => a - b), 'revisions do not rise');
  assert.equal(seen[0][1], 'MISSING_REQUIREMENTS');
  assert.equal(seen.at(-1)[1], 'COMPLETE');

  await page.waitForFunction(() => globalThis.document.querySelector('#token').textContent !== '');
  const claims = await verifyToken(await page.getByLabel('Token').textContent());
  assert.match(claims.sub, /^user_/);
}

test('on a page of another origin, with a bearer token', { timeout: 60_000 }, () =>
  onFreshPage(async (page, context) => {
    const origin = `http://localhost:${pages.address().port}`;
    assert.notEqual(origin, new URL(baseURL).origin);
    await page.goto(`${origin}/page.html`);
    await signUp(page);
    assert.deepEqual(await context.cookies(), [], 'a bearer client was given a cookie');
  }));

test('on a page of the same origin, with a cookie', { timeout: 60_000 }, () =>
  onFreshPage(async (page, context) => {
    // The page's own files are put in at the API's origin; all else goes to the API.
    // Chromium takes a page that was put in for one from the public network, which
    // may not connect to this machine without the person's consent.
    await context.grantPermissions(['local-network-access'], { origin: baseURL });
    await page.route(`${baseURL}/page-under-test/**`, async (route) => {
      const path = new URL(route.request().url()).pathname.slice('/page-under-test/'.length);
      await route.fulfill({ contentType: types[path.split('.').pop()], body: await file(path, 'cookie') });
    });
    await page.goto(`${baseURL}/page-under-test/page.html`);
    await signUp(page);

    const [cookie, ...others] = await context.cookies();
    assert.deepEqual(others, [], 'one cookie is enough');
    assert.equal(cookie.httpOnly, true);
    assert.equal(cookie.sameSite, 'Lax');
    assert.equal(cookie.path, '/');
    assert.match(cookie.value, /^ct_/);
    assert.equal(await page.evaluate(() => globalThis.document.cookie), '', 'scripts can read the token');
  }));
