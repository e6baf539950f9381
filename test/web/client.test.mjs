// The package web/client by itself: its types and size, and its state over a server
// that is made up, with faults no real one shows when asked. Time is virtual.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, mock } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { bundle, example, folder, load } from './package-client.mjs';

const { createSignUpClient, errorFor, errorsFor, nextSteps } = await load();
const atMost = 8 * 1024; // bytes, minified and compressed

test('generated files are those of the schema, and everything compiles under --strict', async () => {
  await promisify(execFile)('npm', ['run', '--silent', 'check'], { cwd: folder }).catch(({ stdout, stderr }) => assert.fail(stdout + stderr));
});

test('so does the flow in the README, against the declarations that the build makes', async (t) => {
  const place = await mkdtemp(join(tmpdir(), 'stepwise-flow-'));
  t.after(() => rm(place, { recursive: true }));
  const { compilerOptions } = JSON.parse(await readFile(`${folder}tsconfig.json`, 'utf8'));
  const tsc = (...args) => promisify(execFile)(`${folder}node_modules/.bin/tsc`, args).catch(({ stdout, message }) => assert.fail(stdout || message));
  await tsc('--project', folder, '--outDir', join(place, 'dist'));
  await writeFile(join(place, 'flow.ts'), await example());
  const options = { ...compilerOptions, rootDir: '.', noEmit: true, emitDeclarationOnly: false, paths: { '@stepwise/client': ['./dist/index.d.ts'] } };
  await writeFile(join(place, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['flow.ts'] }));
  await tsc('--project', place);
});

test('it is small', async (t) => {
  const text = await bundle();
  const size = gzipSync(text, { level: 9 }).length;
  t.diagnostic(`${text.length} bytes minified, ${size} compressed`);
  assert.ok(size < atMost, `${size} bytes`);
  assert.doesNotMatch(text, /\bfrom\s*"/, 'something is imported');
});

// ---------------------------------------------------------------- a made-up server

const verifications = { emailAddress: null, phoneNumber: null, web3Wallet: null, externalAccount: null };
const signUpAt = (revision, more = {}) => ({
  id: 'sua_1', status: 'MISSING_REQUIREMENTS', revision, settingsVersion: 1, requirements: [], blockers: [], verifications,
  createdUserId: null, createdSessionId: null, emailAddress: null, ...more,
});
const settings = {
  version: 1, appName: 'App', chainIds: [], providers: [],
  fields: [{ field: 'EMAIL_ADDRESS', required: true, verifyAtSignUp: true, strategies: ['EMAIL_CODE'] }],
};
const refusal = (code, attribute = null) => ({ code, attribute, message: `${code}.`, field: null, retryAfter: null });
const answer = (data, { token, status = 200, errors } = {}) =>
  new Response(JSON.stringify({ data, errors }), { status, headers: token ? { 'Client-Token': token } : {} });
const outcome = (signUp, more = {}, how) => answer({ outcome: { signUp, userErrors: [], ...more } }, how);
const now = (signUp = null, session = null) => answer({ signUp, client: session && { activeSession: session }, publicSettings: settings });
const unauthenticated = (token) => answer(null, { token, status: 401, errors: [{ message: 'Unknown.', extensions: { code: 'UNAUTHENTICATED' } }] });
const lost = () => {
  throw new TypeError('fetch failed');
};

/**
 * A client of a server that answers each request with the next of these, and, when it
 * has run out of them, holds its peace as a subscription does.
 */
function clientOf(answers, options = {}) {
  const requests = [];
  const fetch = async (url, { headers, body, credentials, signal }) => {
    const { query, variables } = JSON.parse(body);
    const name = query.match(/^\w+ (\w+)/)[1];
    if (name !== 'Watch') {
      requests.push({ name, variables, headers, credentials });
      const next = answers.shift();
      if (next) return next();
    }
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
  };
  const storage = options.storage ?? new Map();
  const client = createSignUpClient({
    url: 'http://server.test/graphql', mode: 'bearer', fetch, webSocket: null, ...options,
    storage: { getItem: (key) => storage.get(key) ?? null, setItem: (key, value) => storage.set(key, value), removeItem: (key) => storage.delete(key) },
  });
  const states = [];
  client.subscribe((state) => states.push(state));
  return { client, requests, states, storage };
}

/** Lets time pass until a promise is settled. */
async function passing(promise) {
  let settled = false;
  promise.then(() => (settled = true), () => (settled = true));
  for (let steps = 0; !settled && steps < 400; steps++) {
    for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
    if (!settled) mock.timers.tick(100);
  }
  assert.ok(settled, 'nothing came of it in forty seconds');
  return promise;
}
const passed = (milliseconds) => passing(new Promise((resolve) => setTimeout(resolve, milliseconds)));

/** A test in virtual time, whose clients are closed after it. */
function inTime(name, run) {
  test(name, async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const made = [];
    try {
      await run((...args) => {
        made.push(clientOf(...args));
        return made.at(-1);
      }, t);
    } finally {
      for (const { client } of made) client.close();
      mock.timers.reset();
    }
  });
}

inTime('phases, snapshots and listeners', async (make) => {
  const { client, states } = make([() => now(), () => outcome(signUpAt(1)), () => outcome(signUpAt(3, { status: 'COMPLETE', createdUserId: 'user_1', createdSessionId: 'sess_1' }))]);
  assert.equal(client.state.phase, 'loading');
  await passing(client.resume());
  assert.deepEqual([client.state.phase, client.state.settings.appName], ['none', 'App']);
  const creating = client.create();
  assert.equal(client.state.busy, true);
  assert.equal((await passing(creating)).ok, true);
  assert.deepEqual([client.state.phase, client.state.busy], ['open', false]);
  const before = client.state;
  assert.throws(() => (before.phase = 'none'), TypeError);
  const heard = [];
  const unsubscribe = client.subscribe(({ phase }) => heard.push(phase));
  await passing(client.update());
  assert.equal(before.phase, 'open');
  assert.deepEqual([client.state.phase, client.state.session], ['complete', { id: 'sess_1', userId: 'user_1' }]);
  unsubscribe();
  const many = heard.length;
  client.restart();
  assert.equal(client.state.phase, 'none');
  assert.equal(heard.length, many);
  assert.equal(states.at(-1), client.state);
});

inTime('a listener’s mistake is the page’s, and stops nobody else', async (make) => {
  const { client, states } = make([() => outcome(signUpAt(1))]);
  const thrown = [];
  const report = (error) => thrown.push(error.message);
  const others = process.rawListeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', report);
  try {
    client.subscribe(() => {
      throw new Error('mistake');
    });
    const heard = [];
    client.subscribe(({ phase }) => heard.push(phase));
    assert.equal((await passing(client.create())).ok, true);
    await passed(1);
    assert.equal(heard.length, states.length);
    assert.ok(thrown.length > 0 && thrown.every((message) => message === 'mistake'));
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  }
});

inTime('what is refused is data, and goes away with the next action', async (make) => {
  const { client } = make([
    () => now(signUpAt(1)),
    () => outcome(signUpAt(1), { userErrors: [refusal('TOO_SHORT', 'PASSWORD'), refusal('RATE_LIMITED')] }),
    () => outcome(signUpAt(2)),
  ]);
  await passing(client.resume());
  const { ok, userErrors, failure } = await passing(client.update({ password: 'a' }));
  assert.deepEqual([ok, userErrors.length, failure], [false, 2, null]);
  assert.equal(errorFor(client.state, 'PASSWORD').code, 'TOO_SHORT');
  assert.equal(errorFor(client.state, 'EMAIL_ADDRESS'), null);
  assert.deepEqual(errorsFor(client.state, null).map(({ code }) => code), ['RATE_LIMITED']);
  await passing(client.update({ password: 'a long walk home' }));
  assert.deepEqual(client.state.userErrors, []);
});

inTime('a lost answer: the mutation is sent again, with the same key and the same token', async (make) => {
  const { client, requests, storage } = make([
    () => now(signUpAt(1)),
    lost,
    () => answer(undefined, { status: 503, errors: [{ message: 'Busy.' }] }),
    () => outcome(signUpAt(2), {}, { token: 'ct_2' }),
  ], { storage: new Map([['stepwise http://server.test/graphql', 'ct_1']]) });
  await passing(client.resume());
  const result = await passing(client.check({ emailCode: '123456' }));
  assert.equal(result.ok, true);
  const sent = requests.filter(({ name }) => name === 'Check');
  assert.equal(sent.length, 3);
  assert.match(sent[0].variables.input.idempotencyKey, /^\w{10,128}$/);
  assert.deepEqual(sent.map(({ variables }) => variables), Array(3).fill(sent[0].variables));
  assert.deepEqual(sent.map(({ headers }) => headers.Authorization), Array(3).fill('Bearer ct_1'));
  assert.equal(storage.get('stepwise http://server.test/graphql'), 'ct_2');
  // Another action has another key.
  void client.check({ emailCode: '123456' });
  await passed(1);
  assert.notEqual(requests.at(-1).variables.input.idempotencyKey, sent[0].variables.input.idempotencyKey);
});

inTime('where nothing answers, an action ends in a failure, and the next one can succeed', async (make) => {
  const { client, requests } = make([() => now(signUpAt(1)), lost, lost, lost, lost, () => outcome(signUpAt(2))]);
  await passing(client.resume());
  const { ok, failure } = await passing(client.update({ firstName: 'Ada' }));
  assert.equal(ok, false);
  assert.match(failure, /cannot be reached.*\.$/);
  assert.equal(client.state.failure, failure);
  assert.equal(client.state.phase, 'open');
  assert.equal(requests.length, 5);
  await passing(client.update({ firstName: 'Ada' }));
  assert.equal(client.state.failure, null);
});

inTime('what the server says about a broken request is the failure, and is not repeated', async (make) => {
  const { client, requests } = make([() => answer(undefined, { status: 400, errors: [{ message: 'No such field.' }] })]);
  const { failure } = await passing(client.create());
  assert.equal(failure, 'No such field.');
  assert.equal(requests.filter(({ name }) => name === 'Create').length, 1);
});

inTime('a password is offered once, for its answer cannot be had again', async (make) => {
  const { client, requests } = make([lost]);
  await passing(client.signIn({ password: { identifier: 'ada', password: 'a long walk home' } }));
  assert.equal(requests.filter(({ name }) => name === 'SignIn').length, 1);
  assert.match(client.state.failure, /cannot be reached/);
});

inTime('without a connection at first, it comes by itself', async (make) => {
  const { client } = make([lost, lost, lost, lost, lost, () => now(signUpAt(1))]);
  const { ok } = await passing(client.resume());
  assert.equal(ok, false);
  assert.deepEqual([client.state.phase, client.state.connection], ['loading', 'offline']);
  assert.match(client.state.failure, /cannot be reached/);
  await passed(10_000);
  assert.deepEqual([client.state.phase, client.state.failure], ['open', null]);
});

inTime('a token that is void: the state starts over', async (make) => {
  const key = 'stepwise http://server.test/graphql';
  const { client, requests, storage } = make([
    () => now(signUpAt(1)),
    () => unauthenticated(),
    () => outcome(signUpAt(1, { id: 'sua_2' }), {}, { token: 'ct_9' }),
  ], { storage: new Map([[key, 'ct_1']]) });
  await passing(client.resume());
  const { ok, failure } = await passing(client.update({ firstName: 'Ada' }));
  assert.equal(ok, false);
  assert.match(failure, /begin again/);
  assert.deepEqual([client.state.phase, client.state.signUp, storage.has(key)], ['none', null, false]);
  await passing(client.create());
  assert.equal(requests.at(-1).headers.Authorization, undefined);
  assert.deepEqual([client.state.signUp.id, client.state.failure, storage.get(key)], ['sua_2', null, 'ct_9']);
});

inTime('a sign-up can be opened with a token that is void', async (make) => {
  const storage = new Map([['stepwise http://server.test/graphql', 'ct_old']]);
  const { client, requests } = make([() => unauthenticated(), () => outcome(signUpAt(1), {}, { token: 'ct_new' })], { storage });
  assert.equal((await passing(client.create())).ok, true);
  assert.deepEqual(requests.map(({ headers }) => headers.Authorization), ['Bearer ct_old', undefined]);
  assert.equal(requests[0].variables.input.idempotencyKey, requests[1].variables.input.idempotencyKey);
});

inTime('another tab has rotated the token: its own is taken up, also where it is written a moment later', async (make) => {
  const key = 'stepwise http://server.test/graphql';
  for (const delay of [0, 300]) {
    const storage = new Map([[key, 'ct_1']]);
    const { client, requests } = make([
      () => now(signUpAt(1)),
      () => {
        if (delay) setTimeout(() => storage.set(key, 'ct_2'), delay);
        else storage.set(key, 'ct_2');
        return unauthenticated();
      },
      () => outcome(signUpAt(2)),
    ], { storage });
    await passing(client.resume());
    assert.equal((await passing(client.update({ firstName: 'Ada' }))).ok, true);
    assert.equal(requests.at(-1).headers.Authorization, 'Bearer ct_2');
    assert.deepEqual([client.state.phase, storage.get(key)], ['open', 'ct_2']);
  }
});

inTime('tokens are kept for each server and instance', async (make) => {
  const storage = new Map();
  const one = make([() => outcome(signUpAt(1), {}, { token: 'ct_a' })], { storage, publishableKey: 'pk_a' });
  const two = make([() => outcome(signUpAt(1), {}, { token: 'ct_b' })], { storage, publishableKey: 'pk_b' });
  await passing(one.client.create());
  await passing(two.client.create());
  assert.deepEqual([...storage.values()].toSorted(), ['ct_a', 'ct_b']);
  assert.equal(two.requests[0].headers.Authorization, undefined);
  assert.equal(two.requests[0].headers['Publishable-Key'], 'pk_b');
});

inTime('a storage that refuses is made up for, for as long as the page lives', async (make) => {
  const refuses = { get: () => assert.fail('private'), set: () => assert.fail('full'), delete: () => assert.fail('private') };
  const { client, requests } = make([() => outcome(signUpAt(1), {}, { token: 'ct_1' }), () => outcome(signUpAt(2))], { storage: refuses });
  await passing(client.create());
  await passing(client.update());
  assert.equal(requests[1].headers.Authorization, 'Bearer ct_1');
});

inTime('a wallet that never answers keeps nothing else from happening', async (make) => {
  const { client } = make([() => now(signUpAt(1)), () => outcome(signUpAt(2))]);
  await passing(client.resume());
  void client.signWithWallet({ request: () => new Promise(() => {}) });
  assert.equal(client.state.busy, false);
  assert.equal((await passing(client.update())).ok, true);
});

inTime('cookies are the browser’s business', async (make) => {
  const { client, requests, storage } = make([() => outcome(signUpAt(1), {}, { token: 'ct_1' })], { mode: 'cookie' });
  await passing(client.create());
  assert.equal(requests[0].credentials, 'include');
  assert.deepEqual([requests[0].headers['Client-Mode'], requests[0].headers.Authorization, storage.size], [undefined, undefined, 0]);
});

inTime('the higher revision wins, whatever comes last', async (make) => {
  const { client } = make([() => now(signUpAt(5)), () => outcome(signUpAt(4)), () => outcome(signUpAt(6))]);
  await passing(client.resume());
  await passing(client.update());
  assert.equal(client.state.signUp.revision, 5);
  await passing(client.update());
  assert.equal(client.state.signUp.revision, 6);
});

inTime('actions are done one after another', async (make) => {
  const { client, requests } = make([() => outcome(signUpAt(1), {}, { token: 'ct_1' }), () => outcome(signUpAt(2))]);
  const both = [client.create(), client.update({ firstName: 'Ada' })];
  await passing(Promise.all(both));
  assert.equal(requests[1].headers.Authorization, 'Bearer ct_1');
  assert.equal(requests[1].name, 'Update');
});

inTime('addresses that are given are verified, unless they are there already', async (make) => {
  const { client, requests } = make([
    () => now(),
    () => outcome(signUpAt(1, { emailAddress: 'ada@example.com' })),
    () => outcome(signUpAt(2, { emailAddress: 'ada@example.com' })),
    () => outcome(signUpAt(3)),
  ]);
  await passing(client.resume());
  await passing(client.create({ emailAddress: 'ada@example.com' }));
  await passing(client.update({ emailAddress: 'ada@example.com', firstName: 'Ada' }));
  await passing(client.update({ emailAddress: 'eve@example.com', startVerifications: [] }));
  const started = requests.slice(1).map(({ variables }) => variables.input.startVerifications);
  assert.deepEqual(started, [[{ strategy: 'EMAIL_CODE' }], [], []]);
});

inTime('an account that belongs to a user: the transfer signs them in', async (make) => {
  const { client, requests } = make([
    () => now(signUpAt(1)),
    () => outcome(signUpAt(2, { verifications: { ...verifications, externalAccount: { status: 'TRANSFERABLE', challenge: null, error: null } } }), { transferToken: 'secret' }),
    () => answer({ outcome: { session: { id: 'sess_1', userId: 'user_1' }, userErrors: [] } }, { token: 'ct_2' }),
  ]);
  await passing(client.resume());
  await passing(client.check({ oauthHandle: 'x' }));
  assert.deepEqual([client.state.transferable, client.state.transferToken], [true, 'secret']);
  await passing(client.signIn());
  assert.deepEqual(requests.at(-1).variables.input, { proof: { transfer: 'secret' } });
  assert.deepEqual([client.state.phase, client.state.session.userId, client.state.transferToken], ['complete', 'user_1', null]);
});

inTime('a sign-up that has become another thing meanwhile is read again', async (make) => {
  const { client, requests } = make([
    () => now(signUpAt(1)),
    () => outcome(null, { userErrors: [refusal('SIGN_UP_ABANDONED')] }),
    () => now(signUpAt(2, { status: 'ABANDONED' })),
  ]);
  await passing(client.resume());
  await passing(client.update());
  assert.equal(client.state.phase, 'abandoned');
  assert.deepEqual(requests.at(-1).variables, { id: 'sua_1' });
});

inTime('one that was put aside is not heard of again', async (make) => {
  let arrive;
  const held = () => new Promise((resolve) => (arrive = () => resolve(outcome(signUpAt(2)))));
  const { client } = make([() => now(signUpAt(1)), held, () => outcome(signUpAt(1, { id: 'sua_2' }))]);
  await passing(client.resume());
  const late = client.update();
  await passed(1); // it is on its way
  client.restart();
  arrive();
  await passing(late);
  assert.deepEqual([client.state.phase, client.state.signUp], ['none', null]);
  await passing(client.create());
  assert.equal(client.state.signUp.id, 'sua_2');
});

inTime('whoever has signed up is known after a reload, until they begin again', async (make) => {
  const known = () => now(null, { id: 'sess_1', userId: 'user_1' });
  const { client } = make(Array(9).fill(known));
  await passing(client.resume());
  assert.deepEqual([client.state.phase, client.state.session.userId], ['complete', 'user_1']);
  client.restart();
  await passed(10_000);
  assert.deepEqual([client.state.phase, client.state.session], ['none', null]);
  await passing(client.resume());
  assert.deepEqual([client.state.phase, client.state.session], ['none', null]);
});

inTime('settings that change before there is a sign-up, and under one, are read', async (make) => {
  const newer = { ...settings, version: 2, appName: 'New' };
  const newest = { ...settings, version: 3, appName: 'Newest' };
  const { client, requests } = make([() => now(), () => answer({ publicSettings: newer }), () => outcome(signUpAt(1, { settingsVersion: 3 })), () => answer({ publicSettings: newest })]);
  await passing(client.resume());
  assert.equal(client.state.connection, 'polling');
  await passed(6000);
  assert.equal(client.state.settings.appName, 'New');
  await passing(client.create());
  await passed(100);
  assert.equal(client.state.settings.appName, 'Newest');
  assert.deepEqual(requests.map(({ name }) => name), ['Now', 'Settings', 'Create', 'Settings']);
});

inTime('a look at the settings that hangs does not keep an action waiting', async (make) => {
  const answers = [() => now()];
  const { client, requests } = make(answers);
  await passing(client.resume());
  await passed(6000);
  assert.equal(requests.at(-1).name, 'Settings');
  answers.push(() => outcome(signUpAt(1)));
  const begun = client.create();
  await new Promise(setImmediate);
  assert.equal(requests.at(-1).name, 'Create');
  assert.equal((await begun).ok, true);
});

inTime('after it is closed nothing is asked and nothing told', async (make) => {
  let arrive;
  const held = () => new Promise((resolve) => (arrive = () => resolve(outcome(signUpAt(1)))));
  const { client, requests, states } = make([() => now(), held]);
  await passing(client.resume());
  void client.create();
  await passed(1);
  const [asked, told, state] = [requests.length, states.length, client.state];
  client.close();
  arrive();
  await passed(30_000);
  assert.deepEqual([requests.length, states.length], [asked, told]);
  assert.equal(client.state, state);
});

// ---------------------------------------------------------------- watching

/** A WebSocket of which the test holds the other end. */
function sockets() {
  const opened = [];
  class Socket {
    readyState = 0;
    sent = [];
    constructor(url, protocol) {
      Object.assign(this, { url, protocol });
      opened.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close() {
      this.readyState = 3;
    }
    say(message) {
      this.onmessage({ data: JSON.stringify(message) });
    }
    /** As far as the subscription. */
    accept() {
      this.readyState = 1;
      this.onopen();
      this.say({ type: 'connection_ack' });
    }
    event(signUp) {
      this.say({ type: 'next', id: '1', payload: { data: { signUpStatusChanged: signUp } } });
    }
  }
  return { Socket, opened };
}

inTime('a WebSocket speaks graphql-transport-ws, with the credentials of a request', async (make) => {
  const { Socket, opened } = sockets();
  const storage = new Map([['stepwise http://server.test/graphql pk_1', 'ct_1']]);
  const { client } = make([() => now(signUpAt(1))], { webSocket: Socket, publishableKey: 'pk_1', storage });
  await passing(client.resume());
  const [socket] = opened;
  assert.deepEqual([socket.url, socket.protocol], ['ws://server.test/graphql', 'graphql-transport-ws']);
  socket.accept();
  assert.deepEqual(socket.sent[0], { type: 'connection_init', payload: { 'Publishable-Key': 'pk_1', 'Client-Mode': 'bearer', Authorization: 'Bearer ct_1' } });
  assert.deepEqual([socket.sent[1].type, socket.sent[1].payload.variables], ['subscribe', { id: 'sua_1' }]);
  assert.equal(client.state.connection, 'offline');
  socket.event(signUpAt(2));
  assert.deepEqual([client.state.connection, client.state.signUp.revision], ['websocket', 2]);
  socket.event(signUpAt(1));
  assert.equal(client.state.signUp.revision, 2);
  socket.say({ type: 'ping' });
  assert.equal(socket.sent.at(-1).type, 'pong');
  socket.event(signUpAt(3, { status: 'COMPLETE', createdUserId: 'user_1', createdSessionId: 'sess_1' }));
  assert.deepEqual([client.state.phase, client.state.connection, socket.readyState], ['complete', 'offline', 3]);
  await passed(10_000);
  assert.equal(opened.length, 1);
});

inTime('one that is cut is opened again; one that falls silent is asked, then given up', async (make) => {
  const { Socket, opened } = sockets();
  const { client } = make([() => now(signUpAt(1))], { webSocket: Socket });
  await passing(client.resume());
  opened[0].accept();
  opened[0].event(signUpAt(1));
  opened[0].onclose();
  await passed(1000);
  assert.deepEqual([opened.length, client.state.connection], [2, 'offline']);
  opened[1].accept();
  opened[1].event(signUpAt(2));
  await passed(26_000);
  assert.equal(opened[1].sent.at(-1).type, 'ping');
  opened[1].say({ type: 'pong' });
  await passed(26_000);
  assert.equal(opened.length, 2);
  await passed(26_000); // no answer to the second question
  assert.equal(opened[1].readyState, 3);
  assert.equal(opened.length, 3);
});

inTime('where WebSockets come to nothing there are streams, then questions, and WebSockets again', async (make) => {
  const { Socket, opened } = sockets();
  const answers = [() => now(signUpAt(1))];
  const streams = [];
  const { client } = make(answers, {
    webSocket: Socket,
    fetch: async (url, { headers, body }) => {
      if (headers.Accept !== 'text/event-stream') return answers.length > 1 ? answers.shift()() : now(signUpAt(JSON.parse(body).variables.id ? 9 : 1));
      const stream = new TransformStream();
      streams.push(stream.writable.getWriter());
      return new Response(stream.readable);
    },
  });
  await passing(client.resume());
  opened[0].onclose();
  await passed(1);
  assert.equal(streams.length, 1);
  const write = (text) => streams[0].write(new TextEncoder().encode(text));
  const event = `event: next\ndata: ${JSON.stringify({ data: { signUpStatusChanged: signUpAt(2, { emailAddress: 'ä@example.com' }) } })}\n\n`;
  await write(':\n\n');
  await write(event.slice(0, 40));
  await write(event.slice(40));
  await passed(1);
  assert.deepEqual([client.state.connection, client.state.signUp.emailAddress], ['sse', 'ä@example.com']);
  await streams[0].close();
  await passed(1000);
  assert.equal(opened.length, 2, 'the best way first again');
  opened[1].onclose();
  await passed(1);
  await streams[1].close();
  await passed(1);
  assert.deepEqual([client.state.connection, client.state.signUp.revision], ['polling', 9]);
  await passed(31_000);
  assert.equal(opened.length, 3);
});

inTime('tries grow rarer while nothing answers, and begin at once when the network is back', async (make) => {
  const page = new EventTarget();
  for (const name of ['addEventListener', 'removeEventListener']) globalThis[name] = page[name].bind(page);
  try {
    let working = true;
    let tries = 0;
    const { client } = make([], {
      fetch: async (url, { headers }) => {
        if (working) return now(signUpAt(1));
        if (headers.Accept !== 'text/event-stream') tries++;
        throw new TypeError('fetch failed');
      },
    });
    await passing(client.resume());
    working = false;
    await passed(39_000);
    const [early] = [tries, await passed(39_000)];
    const late = tries - early;
    assert.ok(early < 12 && late >= 1 && late * 2 <= early, `${early} tries, then ${late}`);
    assert.equal(client.state.connection, 'offline');
    working = true;
    page.dispatchEvent(new Event('online'));
    await passed(300);
    assert.equal(client.state.connection, 'polling');
  } finally {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }
});

// ---------------------------------------------------------------- steps

const action = (kind, ...strategies) => ({ kind, strategies });
const requirement = (field, state, reason, actions, oneOf = []) => ({ field, state, reason, actions, oneOf });

test('steps follow from state, reason and actions, required ones first', () => {
  const challenge = { __typename: 'CodeChallenge', sentTo: 'a…', resendAt: '2026-01-01T00:00:00Z' };
  const signUp = signUpAt(1, {
    verifications: { ...verifications, emailAddress: { status: 'UNVERIFIED', strategy: 'EMAIL_LINK', challenge, error: null } },
    blockers: [{ code: 'IDENTIFIER_TAKEN', attribute: 'USERNAME', remedy: 'REPLACE_OR_CLEAR', message: 'Taken.' }],
    requirements: [
      requirement('FIRST_NAME', 'OPTIONAL', 'OPTIONAL_BY_SETTINGS', [action('PROVIDE')]),
      requirement('LAST_NAME', 'SATISFIED', 'REQUIRED_BY_SETTINGS', [action('PROVIDE'), action('CLEAR')]),
      requirement('EMAIL_ADDRESS', 'UNVERIFIED', 'MUST_BE_VERIFIED', [action('PROVIDE'), action('CLEAR'), action('START_VERIFICATION', 'EMAIL_CODE'), action('CHECK_VERIFICATION', 'EMAIL_LINK')]),
      requirement('PHONE_NUMBER', 'UNVERIFIED', 'MUST_BE_VERIFIED', [action('PROVIDE'), action('START_VERIFICATION', 'PHONE_CODE')]),
      requirement('USERNAME', 'MISSING', 'TAKEN', [action('PROVIDE')]),
      requirement('WEB3_WALLET', 'MISSING', 'A_REASON_OF_TOMORROW', [action('START_VERIFICATION', 'WEB3_SIGNATURE'), action('CHECK_VERIFICATION', 'WEB3_SIGNATURE')]),
      requirement('EXTERNAL_ACCOUNT', 'MISSING', 'ONE_OF_REQUIRED', [action('START_VERIFICATION', 'OAUTH'), action('CHECK_VERIFICATION', 'OAUTH')], ['EXTERNAL_ACCOUNT', 'USERNAME']),
      requirement('PASSWORD', 'DISABLED', 'DISABLED_BY_SETTINGS', []),
      requirement('LEGAL_ACCEPTED', 'MISSING', 'CONSENT_OUTDATED', [action('PROVIDE')]),
    ],
  });
  const steps = nextSteps(signUp, settings);
  assert.deepEqual(steps.map(({ name, kind, required }) => `${kind} ${name}${required ? '' : '?'}`), [
    'prove emailAddress', 'verify phoneNumber', 'replace username', 'prove web3Wallet', 'verify externalAccount', 'consent legalAccepted', 'provide firstName?',
  ]);
  assert.deepEqual([steps[0].code, steps[0].strategies, steps[0].verification.challenge], ['emailCode', ['EMAIL_CODE'], challenge]);
  assert.deepEqual([steps[3].code, steps[3].reason], [null, 'A_REASON_OF_TOMORROW']);
  assert.deepEqual(steps[4].oneOf, ['EXTERNAL_ACCOUNT', 'USERNAME']);
  assert.equal(errorFor({ userErrors: [], signUp }, 'USERNAME').message, 'Taken.');
});

test('before there is a sign-up, steps are what the settings have', () => {
  const fields = [
    { field: 'FIRST_NAME', required: false, verifyAtSignUp: false, strategies: [] },
    { field: 'EXTERNAL_ACCOUNT', required: false, verifyAtSignUp: true, strategies: ['OAUTH'] },
    { field: 'LEGAL_ACCEPTED', required: true, verifyAtSignUp: false, strategies: [] },
    ...settings.fields,
  ];
  assert.deepEqual(nextSteps(null, { ...settings, fields }).map(({ name, kind }) => `${kind} ${name}`), [
    'consent legalAccepted', 'provide emailAddress', 'provide firstName', 'verify externalAccount',
  ]);
  assert.deepEqual(nextSteps(null), []);
});
