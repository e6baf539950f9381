// The OpenID provider that other tests rely on keeps to what it promises: the
// code flow, walked as a relying party would, brings the right claims about each
// of its people, and it refuses what a provider must refuse.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';

const client = { id: 'app', secret: 'a secret: with/odd+characters' };
const redirectURI = 'http://localhost:1/callback';
const secondRedirectURI = 'http://localhost:1/second';
const name = { given_name: 'Ada', family_name: 'Lovelace' };

// What the ID token says, beside the protocol's own claims.
const claimsOf = {
  'verified-named': { email: 'verified-named@example.com', email_verified: true, ...name },
  'verified-nameless': { email: 'elsewhere@example.org', email_verified: true },
  'unverified-named': { email: 'unverified-named@example.com', email_verified: false, ...name },
  'unverified-nameless': { email: 'unverified-nameless@example.com', email_verified: false },
  'absent-named': { ...name },
  'absent-nameless': {},
  'string-named': { email: 'string-named@example.com', email_verified: 'true', ...name },
  'string-nameless': { email: 'string-nameless@example.com', email_verified: 'true' },
  'unclaimed-named': { email: 'unclaimed-named@example.com', ...name },
  'unclaimed-nameless': { email: 'unclaimed-nameless@example.com' },
};

let provider;
let found; // the discovery document
let keys;

function start(...more) {
  const own = ['--port', '0', '--client-id', client.id, '--client-secret', client.secret];
  return spawn(process.execPath, [`${import.meta.dirname}/provider.mjs`, ...own, ...more], { stdio: ['pipe', 'pipe', 'pipe'] });
}

before(async () => {
  provider = start('--redirect-uri', redirectURI, '--redirect-uri', secondRedirectURI, '--email-for', 'verified-nameless=elsewhere@example.org');
  provider.stderr.resume(); // oidc-provider has much to say about http
  const [line] = await once(createInterface(provider.stdout), 'line');
  const { issuer } = JSON.parse(line);
  assert.match(issuer, /^http:\/\/localhost:\d+$/);
  found = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  assert.equal(found.issuer, issuer);
  keys = createRemoteJWKSet(new URL(found.jwks_uri));
});

after(async () => {
  if (provider.exitCode === null) {
    provider.stdin.end();
    await once(provider, 'exit');
  }
});

/** A browser that only follows redirects, as far as one to the app. */
class Browser {
  #cookies = new Map();

  async visit(url, init = {}) {
    for (;;) {
      const cookie = [...this.#cookies].map((pair) => pair.join('=')).join('; ');
      const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie } });
      for (const line of response.headers.getSetCookie()) {
        const [key, value] = line.split(';')[0].split(/=(.*)/s);
        if (value) {
          this.#cookies.set(key, value);
        } else {
          this.#cookies.delete(key);
        }
      }
      const location = response.headers.get('location');
      if (!location) {
        return { url, text: await response.text(), status: response.status };
      }
      await response.body?.cancel();
      url = new URL(location, url);
      if (url.origin !== found.issuer) {
        return { url };
      }
      init = {};
    }
  }
}

/** One authorization: what is asked for, and what only the relying party knows. */
function authorization(more = {}) {
  const secrets = { verifier: randomBytes(32).toString('base64url'), nonce: randomBytes(16).toString('base64url'), state: randomBytes(16).toString('base64url') };
  const params = {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: redirectURI,
    scope: 'openid email profile',
    state: secrets.state,
    nonce: secrets.nonce,
    code_challenge: createHash('sha256').update(secrets.verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  };
  const url = new URL(found.authorization_endpoint);
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined) {
      url.searchParams.set(key, value);
    }
  }
  return { ...secrets, url };
}

/** Exchanges a code; the client authenticates by Basic, RFC 6749 section 2.3.1. */
async function exchange(code, verifier, { secret = client.secret, byPost = false, redirect = redirectURI } = {}) {
  const body = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: redirect, code_verifier: verifier });
  const headers = {};
  if (byPost) {
    body.set('client_id', client.id);
    body.set('client_secret', secret);
  } else {
    headers.authorization = `Basic ${Buffer.from([client.id, secret].map(encodeURIComponent).join(':')).toString('base64')}`;
  }
  const response = await fetch(found.token_endpoint, { method: 'POST', headers, body });
  return { status: response.status, ...(await response.json()) };
}

/** Checks what came back with the person, and returns the code. */
function codeFrom(url, { state }, redirect = redirectURI) {
  assert.equal(url.origin + url.pathname, redirect, String(url));
  assert.equal(url.searchParams.get('error'), null, String(url));
  assert.equal(url.searchParams.get('state'), state);
  assert.equal(url.searchParams.get('iss'), found.issuer);
  return url.searchParams.get('code');
}

async function verifiedClaims({ id_token }, { nonce }) {
  const { payload } = await jwtVerify(id_token, keys, { issuer: found.issuer, audience: client.id, algorithms: ['RS256'] });
  assert.equal(payload.nonce, nonce);
  const { sub, iss, aud, iat, exp, nonce: _, at_hash, ...about } = payload;
  assert.ok(exp > iat);
  return { sub, about };
}

async function signIn(person, browser = new Browser()) {
  const asked = authorization({ login_hint: person });
  const { url } = await browser.visit(asked.url);
  return { ...asked, code: codeFrom(url, asked) };
}

test('discovery names what relying parties look for', () => {
  assert.equal(found.authorization_response_iss_parameter_supported, true);
  assert.deepEqual(found.code_challenge_methods_supported, ['S256']);
  assert.ok(found.id_token_signing_alg_values_supported.includes('RS256'));
  assert.deepEqual(found.token_endpoint_auth_methods_supported.toSorted(), ['client_secret_basic', 'client_secret_post']);
});

for (const [person, about] of Object.entries(claimsOf)) {
  test(`${person}: claims in the ID token and at the user info endpoint`, async () => {
    const { code, verifier, nonce } = await signIn(person);
    const tokens = await exchange(code, verifier);
    assert.equal(tokens.status, 200, JSON.stringify(tokens));
    assert.equal(decodeProtectedHeader(tokens.id_token).alg, 'RS256');
    assert.deepEqual(await verifiedClaims(tokens, { nonce }), { sub: person, about });

    const info = await fetch(found.userinfo_endpoint, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    assert.deepEqual(await info.json(), { sub: person, ...about });
  });
}

test('a used code is refused', async () => {
  const { code, verifier } = await signIn('verified-named');
  assert.equal((await exchange(code, verifier)).status, 200);
  const { status, error } = await exchange(code, verifier);
  assert.deepEqual({ status, error }, { status: 400, error: 'invalid_grant' });
});

test('a code is worth nothing with another verifier', async () => {
  const { code } = await signIn('verified-named');
  const { status, error } = await exchange(code, authorization().verifier);
  assert.deepEqual({ status, error }, { status: 400, error: 'invalid_grant' });
});

test('a wrong secret is refused, the right one is taken by post too', async () => {
  const { code, verifier } = await signIn('verified-named');
  const { status, error } = await exchange(code, verifier, { secret: 'another' });
  assert.deepEqual({ status, error }, { status: 401, error: 'invalid_client' });
  assert.equal((await exchange(code, verifier, { byPost: true })).status, 200);
});

test('PKCE is required', async () => {
  const { url } = await new Browser().visit(authorization({ code_challenge: undefined, code_challenge_method: undefined }).url);
  assert.equal(url.origin + url.pathname, redirectURI);
  assert.equal(url.searchParams.get('error'), 'invalid_request');
});

test('each redirect address that was named is allowed, and no other', async () => {
  const asked = authorization({ redirect_uri: secondRedirectURI, login_hint: 'absent-named' });
  const { url } = await new Browser().visit(asked.url);
  const tokens = await exchange(codeFrom(url, asked, secondRedirectURI), asked.verifier, { redirect: secondRedirectURI });
  assert.equal((await verifiedClaims(tokens, asked)).sub, 'absent-named');

  const refused = await new Browser().visit(authorization({ redirect_uri: 'http://localhost:1/third' }).url);
  assert.equal(refused.status, 400);
  assert.equal(refused.url.origin, found.issuer);
});

test('claims keep to the scopes', async () => {
  const asked = authorization({ scope: 'openid', login_hint: 'verified-named' });
  const { url } = await new Browser().visit(asked.url);
  const tokens = await exchange(codeFrom(url, asked), asked.verifier);
  assert.deepEqual(await verifiedClaims(tokens, asked), { sub: 'verified-named', about: {} });
});

for (const [hint, login_hint] of Object.entries({ 'no login_hint': undefined, 'a login_hint that names nobody': 'nobody' })) {
  test(`with ${hint} a page has a button for each person`, async () => {
    const browser = new Browser();
    const asked = authorization({ login_hint });
    const page = await browser.visit(asked.url);
    assert.equal(page.status, 200);
    const offered = [...page.text.matchAll(/<button name="person" value="([^"]+)">/g)].map(([, id]) => id);
    assert.deepEqual(offered.toSorted(), Object.keys(claimsOf).toSorted());

    const { url } = await browser.visit(page.url, { method: 'POST', body: new URLSearchParams({ person: 'string-named' }) });
    const tokens = await exchange(codeFrom(url, asked), asked.verifier);
    assert.equal((await verifiedClaims(tokens, asked)).sub, 'string-named');
  });
}

test('Cancel answers access_denied', async () => {
  const browser = new Browser();
  const asked = authorization();
  const page = await browser.visit(asked.url);
  assert.match(page.text, /<button name="cancel" value="yes">Cancel</);
  const { url } = await browser.visit(page.url, { method: 'POST', body: new URLSearchParams({ cancel: 'yes' }) });
  assert.equal(url.origin + url.pathname, redirectURI);
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    error: 'access_denied',
    error_description: 'The person cancelled.',
    state: asked.state,
    iss: found.issuer,
  });
});

test('one browser can be several people, one after the other', async () => {
  const browser = new Browser();
  for (const person of ['verified-named', 'absent-named', 'verified-named']) {
    const asked = await signIn(person, browser);
    assert.equal((await verifiedClaims(await exchange(asked.code, asked.verifier), asked)).sub, person);
  }
  assert.match((await browser.visit(authorization().url)).text, /Who are you/, 'somebody was remembered');
});

const mistakes = {
  'without a redirect address': { args: [], says: /--redirect-uri is missing/ },
  'with an address for a person who has none': { args: ['--redirect-uri', redirectURI, '--email-for', 'absent-named=a@example.com'], says: /absent-named/ },
};

for (const [mistake, { args, says }] of Object.entries(mistakes)) {
  test(`it does not start ${mistake}`, async () => {
    const failing = start(...args);
    let printed = '';
    let said = '';
    failing.stdout.on('data', (data) => (printed += data));
    failing.stderr.on('data', (data) => (said += data));
    const [code] = await once(failing, 'close');
    assert.equal(code, 1);
    assert.equal(printed, '');
    assert.match(said, says);
  });
}

test('it ends when its standard input closes', { timeout: 10_000 }, async () => {
  provider.stdin.end();
  const [code] = await once(provider, 'exit');
  assert.equal(code, 0);
});
