// The React example in a browser, beside a real OpenID provider and the app's
// backend: whatever the server asks for, the page leads a person through it, and
// the backend is told of the user. These tests change the settings of the server
// under test, which is therefore theirs alone.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHTTPServer } from 'node:http';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { launch } from './chromium.mjs';
import { asBackend, baseURL, codeSentTo, graphqlURL, newPerson } from './server.mjs';

const providerName = 'example';
// Where the server wants people sent back to by that provider.
const callbackURL = `${baseURL}/oauth/callback/${providerName}`;
const app = new URL('../../examples/react-app/', import.meta.url).pathname;
const client = { clientId: 'stepwise', clientSecret: randomBytes(18).toString('base64url') };

const started = [];
const heardOf = new Map(); // the users in events that the app's backend has verified, by id
let backend;
let browser;
let pageURL;
let issuer;

/** Starts a program of JavaScript, which ends with this one, and returns its output by lines. */
function start(args, options) {
  const program = spawn(process.execPath, args, { ...options, stdio: ['pipe', 'pipe', 'ignore'] });
  started.push(program);
  return createInterface(program.stdout);
}

async function freePort() {
  const server = createServer().listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function changeEndpoint(name, input) {
  const Input = `${name[0].toUpperCase()}${name.slice(1)}Input`;
  const { [name]: changed } = await asBackend(
    `mutation ($input: ${Input}!) { ${name}(input: $input) { endpoint { id } secret userErrors { code message } } }`,
    { input },
  );
  assert.deepEqual(changed.userErrors, []);
  return changed;
}

/**
 * Runs the receiver of the examples as the app's backend. What it makes of an
 * event is seen in front of it: requests are passed on as they come, and those
 * that it takes were signed.
 */
async function startBackend() {
  const { endpoint, secret } = await changeEndpoint('webhookEndpointCreate', { url: 'http://127.0.0.1:1', enabled: false });
  const receiver = new URL('../../examples/receiver-node/receiver.mjs', import.meta.url).pathname;
  const [line] = await once(start([receiver, '--addr', '127.0.0.1:0'], { env: { ...process.env, WEBHOOK_SECRET: secret } }), 'line');
  const address = line.match(/^listening on (http:\S+)$/)[1];
  backend = createHTTPServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name.startsWith('webhook-')));
    const { status } = await fetch(address, { method: 'POST', headers, body });
    const { type, data } = JSON.parse(body);
    if (status === 204 && type === 'user.created') {
      heardOf.set(data.id, data);
    }
    response.writeHead(status).end();
  }).listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const forged = await fetch(`http://127.0.0.1:${backend.address().port}`, {
    method: 'POST',
    headers: { 'webhook-id': 'evt_1', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)), 'webhook-signature': 'v1,AAAA' },
    body: JSON.stringify({ type: 'user.created', data: { id: 'forged' } }),
  });
  assert.equal(forged.status, 401);
  await changeEndpoint('webhookEndpointUpdate', { id: endpoint.id, url: `http://127.0.0.1:${backend.address().port}`, enabled: true });
}

/** What the app's backend was told of a user; waits until it is. */
async function heard(id) {
  const deadline = Date.now() + 10_000;
  while (!heardOf.has(id)) {
    assert.ok(Date.now() < deadline, `the app's backend has not heard of ${id}`);
    await delay(20);
  }
  return heardOf.get(id);
}

before(async () => {
  await startBackend();
  // Vite ends with its standard input, but not where CI is set.
  const env = { ...process.env, VITE_API: graphqlURL, NO_COLOR: '1', CI: '' };
  const port = await freePort();
  pageURL = `http://localhost:${port}/`;
  for await (const line of start([`${app}node_modules/vite/bin/vite.js`, '--port', port], { cwd: app, env })) {
    if (line.includes(pageURL)) {
      break;
    }
  }
  const own = ['--client-id', client.clientId, '--client-secret', client.clientSecret, '--redirect-uri', callbackURL];
  const [line] = await once(start([`${import.meta.dirname}/provider.mjs`, '--port', '0', ...own]), 'line');
  ({ issuer } = JSON.parse(line));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  backend?.close();
  backend?.closeAllConnections();
  for (const program of started) {
    if (program.exitCode === null && program.kill()) {
      await once(program, 'exit');
    }
  }
});

async function changeSettings(input) {
  const { instanceSettingsUpdate } = await asBackend(
    `mutation ($input: InstanceSettingsUpdateInput!) {
      instanceSettingsUpdate(input: $input) { settings { version } userErrors { code message field } }
    }`,
    { input },
  );
  assert.deepEqual(instanceSettingsUpdate.userErrors, []);
}

/** Gives act the example's page in a fresh browser profile; nothing may go wrong on it. */
async function onFreshPage(act) {
  const context = await browser.newContext();
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      complaints.push(`${message.type()}: ${message.text()}`);
    }
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => {
    // The page lets go of a request when it moves on, to a provider for instance.
    if (request.failure().errorText !== 'net::ERR_ABORTED') {
      complaints.push(`${request.url()}: ${request.failure().errorText}`);
    }
  });
  try {
    await page.goto(pageURL);
    await act(page);
  } catch (error) {
    const seen = await page.locator('body').innerText().catch(() => '');
    throw new Error([...complaints, `the page at ${page.url()} shows:`, seen].join('\n'), { cause: error });
  } finally {
    await context.close();
  }
  assert.deepEqual(complaints, []);
}

const goOn = (page) => page.getByRole('button', { name: 'Continue', exact: true }).click();

/** The section of a field, in one of these states once it has come to that. */
const field = (page, name, state) => page.locator(`[data-testid=${name}]${state ? `[data-state=${state}]` : ''}`);

async function enterCode(page, code) {
  await page.getByLabel('Code sent to').fill(code);
  await goOn(page);
}

/** Goes to the provider and comes back as a person, or having cancelled. */
async function visitProvider(page, button) {
  await page.getByRole('button', { name: /^Continue with/ }).click();
  await page.waitForURL(`${issuer}/**`);
  await page.getByRole('button', { name: button, exact: true }).click();
  await page.waitForURL(pageURL); // without the handle
}

/** The user that the sign-up has become, as the backend asks for it, having been told. */
async function welcomed(page) {
  await page.getByRole('heading', { name: 'Welcome' }).waitFor();
  const id = await page.getByTestId('user-id').textContent();
  const { user } = await asBackend(
    `query ($id: ID!) { user(id: $id) {
      emailAddress phoneNumber firstName lastName passwordEnabled consent { documentVersion } identifiers { field verifiedAt }
    } }`,
    { id },
  );
  const told = await heard(id);
  assert.deepEqual(
    told.identifiers.map(({ field: kind, verified }) => [kind, verified]),
    user.identifiers.map(({ field: kind, verifiedAt }) => [kind, verifiedAt !== null]),
  );
  assert.deepEqual([told.firstName || null, told.lastName || null], [user.firstName, user.lastName]);
  return user;
}

test('by email address, password and code', { timeout: 60_000 }, () =>
  onFreshPage(async (page) => {
    const { emailAddress, password } = newPerson();
    await page.getByLabel('Email address').fill(emailAddress);
    await page.getByLabel('Password').fill('short');
    await goOn(page);
    await field(page, 'PASSWORD').getByRole('alert').waitFor();
    assert.equal(await page.getByRole('alert').count(), 1);
    assert.equal(await page.getByLabel('Email address').inputValue(), emailAddress);

    await page.getByLabel('Password').fill(password);
    await goOn(page);
    await field(page, 'PASSWORD', 'SATISFIED').waitFor();
    await field(page, 'EMAIL_ADDRESS', 'UNVERIFIED').waitFor();
    assert.equal(await page.getByRole('alert').count(), 0);
    await page.getByRole('button', { name: 'Send another code' }).waitFor();

    const code = await codeSentTo(emailAddress);
    await enterCode(page, code === '000000' ? '000001' : '000000');
    await field(page, 'EMAIL_ADDRESS').getByRole('alert').waitFor();
    await enterCode(page, code);
    const user = await welcomed(page);
    assert.equal(user.emailAddress, emailAddress);
    assert.equal(user.passwordEnabled, true);
  }));

test('a sign-up is still there after a reload', { timeout: 60_000 }, () =>
  onFreshPage(async (page) => {
    const { emailAddress, password } = newPerson();
    await page.getByLabel('Email address').fill(emailAddress);
    await goOn(page);
    await page.getByLabel('Code sent to').waitFor();
    await page.reload();
    assert.equal(await page.getByLabel('Email address').inputValue(), emailAddress);
    await page.getByLabel('Password').fill(password);
    await goOn(page);
    await field(page, 'PASSWORD', 'SATISFIED').waitFor();
    await page.getByLabel('First name').fill('Ada');
    await enterCode(page, await codeSentTo(emailAddress)); // both at once, and the rest stays
    const user = await welcomed(page);
    assert.deepEqual([user.emailAddress, user.firstName, user.passwordEnabled], [emailAddress, 'Ada', true]);
  }));

test('with a phone number and consent, which the settings ask for', { timeout: 60_000 }, async (t) => {
  const legalConsent = { enabled: true, documentVersion: '7', documentUrl: 'https://example.com/terms' };
  await changeSettings({ phoneNumber: { enabled: true, required: true }, legalConsent });
  t.after(() => changeSettings({ phoneNumber: { enabled: false, required: false }, legalConsent: { enabled: false } }));
  await onFreshPage(async (page) => {
    const { emailAddress, password } = newPerson();
    const phoneNumber = `+447400${randomInt(100_000, 1_000_000)}`;
    await page.getByLabel('Email address').fill(emailAddress);
    await page.getByLabel('Password').fill(password);
    await goOn(page);
    await field(page, 'LEGAL_ACCEPTED', 'MISSING').waitFor();
    assert.equal(await page.getByRole('link').getAttribute('href'), legalConsent.documentUrl);
    await page.getByLabel('Phone number').fill(phoneNumber);
    await page.getByLabel('I accept the terms').check();
    await goOn(page);
    await field(page, 'LEGAL_ACCEPTED', 'SATISFIED').waitFor();
    await field(page, 'PHONE_NUMBER').getByLabel('Code sent to').fill(await codeSentTo(phoneNumber));
    await field(page, 'EMAIL_ADDRESS').getByLabel('Code sent to').fill(await codeSentTo(emailAddress));
    await goOn(page);
    const user = await welcomed(page);
    assert.deepEqual([user.emailAddress, user.phoneNumber, user.consent.documentVersion], [emailAddress, phoneNumber, '7']);
  });
});

test('a change of settings shows on open pages', { timeout: 60_000 }, () =>
  onFreshPage(async (page) => {
    await page.getByLabel('Last name (optional)').waitFor();
    await changeSettings({ lastName: { enabled: true, required: true } });
    await page.getByLabel('Last name', { exact: true }).waitFor(); // no sign-up yet

    await page.getByLabel('First name (optional)').fill('Ada');
    await goOn(page);
    await field(page, 'FIRST_NAME', 'SATISFIED').waitFor();
    await field(page, 'LAST_NAME', 'MISSING').waitFor();
    await changeSettings({ lastName: { enabled: true, required: false } });
    await field(page, 'LAST_NAME', 'OPTIONAL').waitFor(); // without any action on the page
    await changeSettings({ phoneNumber: { enabled: true } });
    await page.getByLabel('Phone number (optional)').waitFor();
    await changeSettings({ phoneNumber: { enabled: false } });
    await page.getByLabel('Phone number').waitFor({ state: 'detached' });
  }));

test('an account elsewhere', { timeout: 180_000 }, async (t) => {
  const provider = { name: providerName, issuer, ...client, enabled: true, trustEmail: true };
  await changeSettings({ externalAccount: { providers: [provider] } });

  await t.test('without an address: the page asks for one, and verifies it', () =>
    onFreshPage(async (page) => {
      const { emailAddress } = newPerson();
      await visitProvider(page, 'absent-named');
      await field(page, 'EMAIL_ADDRESS', 'MISSING').waitFor();
      await field(page, 'EXTERNAL_ACCOUNT', 'SATISFIED').waitFor();
      await field(page, 'FIRST_NAME', 'SATISFIED').waitFor();
      assert.equal(await page.getByLabel('First name').inputValue(), 'Ada');
      await page.getByLabel('Email address').fill(emailAddress);
      await goOn(page);
      await enterCode(page, await codeSentTo(emailAddress));

      const user = await welcomed(page);
      assert.equal(user.emailAddress, emailAddress);
      assert.equal(user.firstName, 'Ada');
      assert.equal(user.lastName, 'Lovelace');
      assert.equal(user.passwordEnabled, false);
      assert.deepEqual(
        user.identifiers.map(({ field: kind, verifiedAt }) => [kind, verifiedAt !== null]).toSorted(),
        [['EMAIL_ADDRESS', true], ['EXTERNAL_ACCOUNT', true]],
      );
    }));

  await t.test('with a verified address it is all that is needed', () =>
    onFreshPage(async (page) => {
      await visitProvider(page, 'verified-named');
      assert.equal((await welcomed(page)).emailAddress, 'verified-named@example.com');
    }));

  await t.test('cancelled at the provider: the page says so, and another way is open', () =>
    onFreshPage(async (page) => {
      await visitProvider(page, 'Cancel');
      await field(page, 'EXTERNAL_ACCOUNT').getByRole('alert').first().waitFor();
      const { emailAddress, password } = newPerson();
      await page.getByLabel('Email address').fill(emailAddress);
      await page.getByLabel('Password').fill(password);
      await goOn(page);
      await enterCode(page, await codeSentTo(emailAddress));
      assert.equal((await welcomed(page)).emailAddress, emailAddress);
    }));

  await t.test('who is a user comes back where only invited people sign up', async (restricted) => {
    restricted.after(() => changeSettings({ signUpMode: 'PUBLIC' }));
    await changeSettings({ signUpMode: 'RESTRICTED' });
    await onFreshPage(async (page) => {
      await page.getByLabel('Email address').fill(newPerson().emailAddress);
      await goOn(page);
      await page.locator('[data-code=SIGN_UP_RESTRICTED]').waitFor();
      await visitProvider(page, 'verified-named'); // who has signed up above
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Welcome' }).waitFor();
    });
  });

  await t.test('without Progressive Sign Up an account without an address is refused', async (refused) => {
    refused.after(() => changeSettings({ progressiveSignUp: true }));
    await onFreshPage(async (page) => {
      await visitProvider(page, 'absent-nameless');
      await field(page, 'EXTERNAL_ACCOUNT', 'SATISFIED').waitFor();
      await changeSettings({ progressiveSignUp: false });
      await field(page, 'EXTERNAL_ACCOUNT', 'SATISFIED').waitFor({ state: 'detached' }); // without any action on the page

      await visitProvider(page, 'absent-nameless');
      const alert = field(page, 'EXTERNAL_ACCOUNT').locator('[data-code=PROVIDER_EMAIL_NOT_VERIFIED]').first();
      assert.match(await alert.textContent(), /\w.*\.$/);
      assert.equal(await page.getByRole('heading', { name: 'Welcome' }).count(), 0);
    });
  });
});

test('the switch is flipped under two open forms, and the backend hears of whoever completes', { timeout: 120_000 }, async (t) => {
  const provider = { name: providerName, issuer, ...client, enabled: true, trustEmail: true };
  await changeSettings({ progressiveSignUp: true, externalAccount: { providers: [provider] } });
  t.after(() => changeSettings({ progressiveSignUp: true }));
  const before = heardOf.size;
  await onFreshPage((byForm) => onFreshPage(async (byAccount) => {
    const { emailAddress, password } = newPerson();
    await byForm.getByLabel('Email address').fill(emailAddress);
    await goOn(byForm);
    await byForm.getByLabel('Code sent to').waitFor();
    await visitProvider(byAccount, 'absent-nameless');
    await field(byAccount, 'EXTERNAL_ACCOUNT', 'SATISFIED').waitFor();
    await field(byAccount, 'EMAIL_ADDRESS', 'MISSING').waitFor();

    await changeSettings({ progressiveSignUp: false });
    await field(byAccount, 'EXTERNAL_ACCOUNT', 'SATISFIED').waitFor({ state: 'detached' }); // without any action on the page
    await visitProvider(byAccount, 'absent-nameless');
    await field(byAccount, 'EXTERNAL_ACCOUNT').locator('[data-code=PROVIDER_EMAIL_NOT_VERIFIED]').first().waitFor();
    await byForm.getByLabel('Password').fill(password);
    await enterCode(byForm, await codeSentTo(emailAddress));
    const first = await welcomed(byForm);
    assert.deepEqual([first.emailAddress, first.passwordEnabled], [emailAddress, true]);
    assert.equal(heardOf.size, before + 1);
    assert.equal(await byAccount.getByRole('heading', { name: 'Welcome' }).count(), 0);

    await changeSettings({ progressiveSignUp: true });
    await visitProvider(byAccount, 'absent-nameless');
    await field(byAccount, 'EXTERNAL_ACCOUNT', 'SATISFIED').waitFor();
    const other = newPerson();
    await byAccount.getByLabel('Email address').fill(other.emailAddress);
    await goOn(byAccount);
    await enterCode(byAccount, await codeSentTo(other.emailAddress));
    const second = await welcomed(byAccount);
    assert.deepEqual([second.emailAddress, second.passwordEnabled], [other.emailAddress, false]);
    assert.equal(heardOf.size, before + 2);
  }));
});
