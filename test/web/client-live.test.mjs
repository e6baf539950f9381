// The package web/client against a real server, which is theirs alone, for these tests
// change its settings: in Node.js, and on pages in Chromium.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import WebSocket from 'ws';
import { launch } from './chromium.mjs';
import { bundle, example, load } from './package-client.mjs';
import { asBackend, baseURL, codeSentTo, graphqlURL, newPerson, verifyToken } from './server.mjs';

const { createSignUpClient, errorFor, nextSteps } = await load();
const publishableKey = process.env.PUBLISHABLE_KEY;
assert.match(publishableKey ?? '', /^pk_/, 'PUBLISHABLE_KEY is not set');
const within = { timeout: 60_000 };

async function changeSettings(input) {
  const { instanceSettingsUpdate } = await asBackend(
    `mutation ($input: InstanceSettingsUpdateInput!) { instanceSettingsUpdate(input: $input) { userErrors { code message field } } }`,
    { input },
  );
  assert.deepEqual(instanceSettingsUpdate.userErrors, []);
}

const userOf = async (id) => (await asBackend('query ($id: ID!) { user(id: $id) { emailAddress web3Wallet lastName } }', { id })).user;

function memory() {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key), kept };
}

/** A client as an app without a browser has it, closed after the test. */
function clientFor(t, options = {}) {
  const client = createSignUpClient({ url: graphqlURL, publishableKey, mode: 'bearer', storage: memory(), webSocket: WebSocket, pollInterval: 100, ...options });
  t.after(() => client.close());
  return client;
}

/** The client's state once it is as it should be. */
function until(client, right, what) {
  return new Promise((resolve, reject) => {
    const look = (state) => {
      if (!right(state)) return;
      clearTimeout(timer);
      unsubscribe();
      resolve(state);
    };
    const timer = setTimeout(() => reject(new Error(`not ${what ?? right}: ${JSON.stringify(client.state)}`)), 15_000);
    const unsubscribe = client.subscribe(look);
    look(client.state);
  });
}

/** What steps are left, as words. */
const left = (client) => nextSteps(client.state.signUp, client.state.settings).filter(({ required }) => required).map(({ kind, name }) => `${kind} ${name}`);

async function byEmailCode(client, person = newPerson()) {
  assert.equal((await client.resume()).failure, null);
  assert.deepEqual(left(client), ['provide emailAddress', 'provide password']);
  assert.equal((await client.create({ emailAddress: person.emailAddress })).failure, null);
  assert.deepEqual(left(client), ['prove emailAddress', 'provide password']);
  await client.update({ password: 'short' });
  assert.equal(errorFor(client.state, 'PASSWORD').code, 'TOO_SHORT');
  await client.update({ password: person.password });
  const [step] = nextSteps(client.state.signUp);
  assert.equal(step.verification.challenge.__typename, 'CodeChallenge');
  const code = await codeSentTo(person.emailAddress);
  await client.check({ [step.code]: code === '000000' ? '000001' : '000000' });
  assert.equal(errorFor(client.state, 'EMAIL_ADDRESS').code, 'CODE_INCORRECT');
  assert.equal((await client.check({ [step.code]: code })).ok, true);
  assert.equal(client.state.phase, 'complete');
  const { token } = await client.sessionToken();
  const { sub, sid } = await verifyToken(token);
  assert.deepEqual(client.state.session, { id: sid, userId: sub });
  assert.equal((await userOf(sub)).emailAddress, person.emailAddress);
  return sub;
}

test('by email code', within, (t) => byEmailCode(clientFor(t)));

test('every answer is lost at first: there is one user all the same, and the token is the right one', within, async (t) => {
  const losing = async (url, init) => {
    if (init.headers.Accept === 'text/event-stream') return fetch(url, init);
    const first = !seen.has(init.body);
    seen.add(init.body);
    const response = await fetch(url, init); // the server does its work
    if (first) throw new TypeError('the answer was lost');
    return response;
  };
  const seen = new Set();
  const { users: before } = await asBackend('{ users { totalCount } }');
  await byEmailCode(clientFor(t, { fetch: losing }));
  const { users } = await asBackend('{ users { totalCount } }');
  assert.equal(users.totalCount, before.totalCount + 1);
});

for (const [connection, options] of Object.entries({
  websocket: {},
  sse: { webSocket: null },
  polling: {
    webSocket: class {
      constructor() {
        throw new Error('refused');
      }
    },
    fetch: (url, init) => (init.headers.Accept === 'text/event-stream' ? Promise.reject(new TypeError('refused')) : fetch(url, init)),
  },
})) {
  test(`settings that an administrator changes meanwhile show by ${connection}`, within, async (t) => {
    t.after(() => changeSettings({ lastName: { required: false } }));
    const client = clientFor(t, options);
    await client.resume();
    await client.create({ password: newPerson().password });
    await until(client, (state) => state.connection === connection, `connected by ${connection}`);
    assert.deepEqual(left(client), ['provide emailAddress']);
    await changeSettings({ lastName: { required: true } });
    await until(client, () => left(client).includes('provide lastName'), 'asking for a last name');
    await until(client, ({ settings }) => settings.fields.some(({ field, required }) => field === 'LAST_NAME' && required), 'the new settings');
  });
}

test('a WebSocket that is cut comes back, and what happened meanwhile with it; a final state ends it', within, async (t) => {
  const sockets = [];
  class Cut extends WebSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  }
  const storage = memory();
  const client = clientFor(t, { webSocket: Cut, storage });
  const person = newPerson();
  await client.resume();
  await client.create(person);
  await until(client, ({ connection }) => connection === 'websocket');
  sockets[0].terminate();
  await until(client, ({ connection }) => connection === 'offline');
  const elsewhere = clientFor(t, { storage }); // another tab
  await elsewhere.resume();
  await elsewhere.update({ firstName: 'Ada' });
  await until(client, ({ signUp, connection }) => signUp.firstName === 'Ada' && connection === 'websocket');
  assert.equal(sockets.length, 2);
  await elsewhere.check({ emailCode: await codeSentTo(person.emailAddress) });
  await until(client, ({ phase }) => phase === 'complete');
  assert.deepEqual(client.state.session, elsewhere.state.session);
  // The token that the other tab was given serves here too.
  assert.equal((await verifyToken((await client.sessionToken()).token)).sub, client.state.session.userId);
  assert.ok([WebSocket.CLOSING, WebSocket.CLOSED].includes(sockets[1].readyState));
  assert.equal(sockets.length, 2);
});

test('a wallet signs', within, async (t) => {
  t.after(() => changeSettings({ web3Wallet: { enabled: false } }));
  await changeSettings({ web3Wallet: { enabled: true, chainIds: [1, 8453] } });
  const account = privateKeyToAccount(generatePrivateKey());
  const wallet = {
    async request({ method, params }) {
      if (method === 'eth_requestAccounts') return [account.address.toLowerCase()];
      if (method === 'eth_chainId') return '0x2105'; // 8453
      assert.deepEqual([method, params[1]], ['personal_sign', account.address.toLowerCase()]);
      return account.signMessage({ message: { raw: params[0] } });
    },
  };
  const client = clientFor(t);
  await client.resume();
  const refusing = { request: () => Promise.reject({ code: 4001, message: 'User rejected the request.' }) };
  assert.equal((await client.signWithWallet(refusing)).failure, 'User rejected the request.');
  const { ok, signUp, userErrors, failure } = await client.signWithWallet(wallet);
  assert.deepEqual([ok, userErrors, failure], [true, [], null]);
  assert.equal(signUp.web3Wallet, account.address);
  assert.deepEqual(left(client), ['provide emailAddress']);

  // It belongs to a user then, who comes back by it.
  const { emailAddress } = newPerson();
  await client.update({ emailAddress });
  await client.check({ emailCode: await codeSentTo(emailAddress) });
  const { userId } = client.state.session;
  const back = clientFor(t);
  await back.resume();
  await back.signWithWallet(wallet);
  assert.equal(back.state.transferable, true);
  assert.equal((await back.signIn()).ok, true);
  assert.deepEqual([back.state.phase, back.state.session.userId], ['complete', userId]);
  assert.equal((await verifyToken((await back.sessionToken()).token)).sub, userId);
});

// ---------------------------------------------------------------- pages

let browser;
const servers = [];
let pageURL;
let neighbourURL; // on another port of the server's host
let script;

before(async () => {
  script = await bundle("import * as stepwise from '@stepwise/client'; Object.assign(globalThis, { stepwise });");
  const serve = (request, response) => {
    const [type, text] = request.url === '/client.js'
      ? ['text/javascript', script]
      : ['text/html', '<!doctype html><title>App</title><link rel="icon" href="data:,"><script type="module" src="/client.js"></script>'];
    response.setHeader('Content-Type', `${type}; charset=utf-8`).end(text);
  };
  const listen = async (host) => {
    const server = createServer(serve).listen(0, host);
    servers.push(server);
    await once(server, 'listening');
    return `http://${host}:${server.address().port}/`;
  };
  pageURL = await listen('localhost');
  neighbourURL = await listen(new URL(baseURL).hostname);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

/** A fresh browser profile, in which nothing may go wrong. */
async function inProfile(act) {
  const context = await browser.newContext();
  context.setDefaultTimeout(15_000);
  const complaints = [];
  context.on('weberror', (error) => complaints.push(String(error.error())));
  try {
    await act(context);
  } catch (error) {
    const seen = await Promise.all(context.pages().map(async (page) => `${page.url()} shows: ${await page.locator('body').innerText().catch(() => '')}`));
    throw new Error([...complaints, ...seen].join('\n'), { cause: error });
  } finally {
    await context.close();
  }
  assert.deepEqual(complaints, []);
}

/** A tab of the app, with a client that has resumed as `client`. */
async function open(context, address = pageURL) {
  const page = await context.newPage();
  await page.goto(address);
  await resume(page);
  return page;
}
const resume = (page, mode = 'bearer') =>
  page.evaluate(async (options) => {
    globalThis.client = stepwise.createSignUpClient({ ...options, pollInterval: 200 });
    await client.resume();
  }, { url: graphqlURL, mode });
const stateOf = (page) => page.evaluate(() => client.state);
const becomes = (page, phase) => page.waitForFunction((wanted) => client.state.phase === wanted, phase);

test('the flow of the README, with cookies, as it stands', within, async (t) => {
  const program = await bundle(await example());
  t.after(() => changeSettings({ legalConsent: { enabled: false } }));
  await changeSettings({ legalConsent: { enabled: true, documentVersion: '1' } });
  await inProfile(async (context) => {
    // On the server's own origin, as behind one proxy.
    await context.route(`${baseURL}/app`, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>App</title><form><div></div><button>Continue</button></form><script type="module" src="/app.js"></script>' }));
    await context.route(`${baseURL}/app.js`, (route) => route.fulfill({ contentType: 'text/javascript', body: program }));
    const page = await context.newPage();
    const { emailAddress, password } = newPerson();
    const goOn = () => page.getByRole('button', { name: 'Continue' }).click();
    await page.goto(`${baseURL}/app`);
    await page.getByLabel('emailAddress').fill(emailAddress);
    await page.getByLabel('password').fill('short');
    await goOn();
    await page.getByText('Use at least 8 characters.').waitFor();
    await page.getByLabel('password').fill(password);
    await goOn();
    await page.getByLabel('emailCode').waitFor();
    await page.reload();
    await page.getByLabel('emailCode').fill(await codeSentTo(emailAddress));
    await page.getByLabel('legalAccepted').check();
    await goOn();
    const text = await page.getByText(/Welcome, user_/).textContent();
    assert.equal((await userOf(text.match(/user_\w+/)[0])).emailAddress, emailAddress);
    await page.reload();
    await page.getByText(text).waitFor(); // a session, by the cookie
  });
});

test('with cookies from another origin of the same site, where scripts see no token', within, () =>
  inProfile(async (context) => {
    // Ports make origins, not sites.
    const page = await context.newPage();
    await page.goto(neighbourURL);
    await resume(page, 'cookie');
    const person = newPerson();
    await page.evaluate((input) => client.create(input), person);
    await page.waitForFunction(() => client.state.connection === 'websocket');
    await page.reload();
    await resume(page, 'cookie');
    assert.equal((await stateOf(page)).signUp.emailAddress, person.emailAddress);
    await page.evaluate((emailCode) => client.check({ emailCode }), await codeSentTo(person.emailAddress));
    assert.equal((await stateOf(page)).phase, 'complete');
    const { token } = await page.evaluate(() => client.sessionToken());
    assert.equal((await verifyToken(token)).sub, (await stateOf(page)).session.userId);
    assert.deepEqual(await page.evaluate(() => [document.cookie, localStorage.length]), ['', 0]);
  }));

test('by a provider, and back: the handle is offered and leaves the address', within, async (t) => {
  const credentials = { clientId: 'stepwise', clientSecret: randomBytes(18).toString('base64url') };
  const args = ['--port', '0', '--client-id', credentials.clientId, '--client-secret', credentials.clientSecret, '--redirect-uri', `${baseURL}/oauth/callback/live`];
  const provider = spawn(process.execPath, [`${import.meta.dirname}/provider.mjs`, ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
  t.after(() => provider.kill());
  const [line] = await once(createInterface(provider.stdout), 'line');
  const { issuer } = JSON.parse(line);
  await changeSettings({ externalAccount: { providers: [{ name: 'live', issuer, ...credentials, enabled: true, trustEmail: true }] } });
  t.after(() => changeSettings({ externalAccount: { removeProviders: ['live'] } }));

  const visit = async (page, person) => {
    await page.evaluate(async () => {
      const { url } = await client.start('OAUTH', { provider: client.state.settings.providers[0].name });
      location.assign(url);
    });
    await page.getByRole('button', { name: person, exact: true }).click();
    await page.waitForURL(/sign_up_handle=/);
    await resume(page);
  };
  await inProfile(async (context) => {
    const page = await open(context, `${pageURL}?theme=dark#top`);
    await visit(page, 'absent-named');
    assert.equal(page.url(), pageURL);
    const { phase, signUp } = await stateOf(page);
    assert.deepEqual([phase, signUp.firstName, signUp.externalAccount], ['open', 'Ada', { provider: 'live' }]);
  });
  for (const [time, phase] of [['first', 'complete'], ['second', 'open']]) {
    await inProfile(async (context) => {
      const page = await open(context);
      await visit(page, 'verified-named');
      assert.equal((await stateOf(page)).phase, phase, time);
      if (time === 'first') return;
      assert.equal((await stateOf(page)).transferable, true);
      await page.evaluate(() => client.signIn());
      const { session } = await stateOf(page);
      assert.equal((await userOf(session.userId)).emailAddress, 'verified-named@example.com');
    });
  }
});

test('by a link in a mail, which is good in the browser that began', within, async (t) => {
  t.after(() => changeSettings({ emailAddress: { strategies: ['EMAIL_CODE'] } }));
  await changeSettings({ emailAddress: { strategies: ['EMAIL_LINK'] } });
  await inProfile(async (context) => {
    const page = await open(context);
    const { emailAddress, password } = newPerson();
    await page.evaluate((input) => client.create(input), { emailAddress });
    const [step] = await page.evaluate(() => stepwise.nextSteps(client.state.signUp));
    assert.deepEqual([step.kind, step.code], ['prove', 'emailCode']);
    await codeSentTo(emailAddress);
    const letters = await fetch(`${baseURL}/dev/outbox?format=json&to=${encodeURIComponent(emailAddress)}`);
    const [{ link }] = await letters.json();
    await page.goto(link);
    await page.getByRole('button').click();
    await page.waitForURL(/sign_up_link=/);
    const brought = page.url();
    await inProfile(async (other) => {
      const stranger = await open(other, brought);
      const { phase, failure } = await stateOf(stranger);
      assert.equal(phase, 'none');
      assert.match(failure, /begin again/);
      assert.equal(await stranger.evaluate(() => client.resume().then((again) => again.failure)), null); // it is not offered again
    });
    await resume(page);
    assert.equal(page.url(), pageURL);
    assert.deepEqual((await stateOf(page)).signUp.unverifiedFields, []);
    await page.evaluate((input) => client.update(input), { password });
    await becomes(page, 'complete');
  });
});

test('an invitation in the address is used by the sign-up that is begun, also after a reload', within, async () => {
  const { invitationCreate } = await asBackend(
    `mutation ($input: InvitationCreateInput!) { invitationCreate(input: $input) { ticket userErrors { code message } } }`,
    { input: { emailAddress: newPerson().emailAddress } },
  );
  assert.deepEqual(invitationCreate.userErrors, []);
  await inProfile(async (context) => {
    const page = await open(context, `${pageURL}?theme=dark&ticket=${invitationCreate.ticket}#top`);
    assert.equal(page.url(), `${pageURL}?theme=dark#top`);
    await page.reload();
    await resume(page);
    await page.evaluate((password) => client.create({ password }), newPerson().password);
    assert.equal((await stateOf(page)).phase, 'complete');
  });
});

test('two tabs are one client', within, () =>
  inProfile(async (context) => {
    const [one, two] = [await open(context), await open(context)];
    const { emailAddress, password } = newPerson();
    await one.evaluate((input) => client.create(input), { emailAddress });
    await becomes(two, 'open'); // told by the storage
    await two.evaluate((input) => client.update(input), { password });
    await one.waitForFunction(() => client.state.signUp.passwordEnabled);
    const code = await codeSentTo(emailAddress);
    await one.evaluate((emailCode) => client.check({ emailCode }), code);
    await becomes(two, 'complete');
    const tokens = await Promise.all([one, two].map((page) => page.evaluate(async () => (await client.sessionToken()).token)));
    const [first, second] = await Promise.all(tokens.map(verifyToken));
    assert.equal(first.sid, second.sid);
    await two.reload();
    await resume(two);
    assert.equal((await stateOf(two)).phase, 'complete');
  }));

test('without a network the page says so, and comes back', within, () =>
  inProfile(async (context) => {
    const page = await open(context);
    await page.evaluate((input) => client.create(input), { password: newPerson().password });
    await page.waitForFunction(() => client.state.connection === 'websocket');
    await context.setOffline(true);
    const { ok, failure } = await page.evaluate(() => client.update({ firstName: 'Ada' }));
    assert.equal(ok, false);
    assert.match(failure, /cannot be reached/);
    await context.setOffline(false);
    assert.equal((await page.evaluate(() => client.update({ firstName: 'Ada' }))).ok, true);
    const { failure: now, signUp } = await stateOf(page);
    assert.deepEqual([now, signUp.firstName], [null, 'Ada']);
  }));
