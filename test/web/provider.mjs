// A real OpenID provider on loopback, for tests and for trying things out:
//
//   node provider.mjs --port 0 --client-id X --client-secret Y \
//     --redirect-uri U [--redirect-uri U2 …] [--email-for id=address …] [--log-requests]
//
// Once it is ready it prints one line of JSON, {"issuer": "http://localhost:PORT"},
// and nothing else; warnings go to standard error, and with --log-requests a line
// for each request, such as `POST /token`. It ends when its standard input closes.
//
// It serves the authorization code flow with PKCE (S256, required) to one
// client, which may authenticate by Basic or by post. ID tokens are signed with
// RS256 and carry the claims of the scopes `email` and `profile`. Answers carry
// `iss` (RFC 9207).
//
// Its people are made up, see peopleAt. Who is meant is said by `login_hint`,
// with an id: then nothing is asked. Without one, or with one that names nobody,
// a page has a button for each person and one to cancel, which answers
// access_denied. Everybody consents to everything, and nobody is remembered from
// one authorization to the next.
import { generateKeyPair, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs, promisify } from 'node:util';

// oidc-provider gives notice on standard output, which is for the issuer alone.
console.info = console.warn;
const { Provider } = await import('oidc-provider');

/**
 * Everybody who has an account, by id (which is the claim `sub`), with the claims
 * that the provider makes about them. The first word says what it makes of the
 * email address:
 *
 *   verified    email_verified is true
 *   unverified  email_verified is false
 *   string      email_verified is "true", a string
 *   unclaimed   an address, and no word about whether it is verified
 *   absent      no address
 *
 * the second whether it knows a name. `addresses` replace those that people have.
 */
function peopleAt(addresses) {
  const emails = { verified: true, unverified: false, string: 'true', unclaimed: undefined, absent: undefined };
  const names = { named: { given_name: 'Ada', family_name: 'Lovelace' }, nameless: {} };
  const people = new Map();
  for (const [word, email_verified] of Object.entries(emails)) {
    for (const [known, name] of Object.entries(names)) {
      const id = `${word}-${known}`;
      const address = word === 'absent' ? {} : { email: `${id}@example.com`, email_verified };
      people.set(id, { ...name, ...address });
    }
  }
  for (const [id, address] of addresses) {
    if (!people.get(id)?.email) {
      throw new Error(`--email-for: nobody with an address has the id ${id}`);
    }
    people.get(id).email = address;
  }
  return people;
}

function settings() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      'client-id': { type: 'string' },
      'client-secret': { type: 'string' },
      'redirect-uri': { type: 'string', multiple: true },
      'email-for': { type: 'string', multiple: true, default: [] },
      'log-requests': { type: 'boolean', default: false },
    },
  });
  for (const name of ['client-id', 'client-secret', 'redirect-uri']) {
    if (!values[name]) {
      throw new Error(`--${name} is missing`);
    }
  }
  return values;
}

async function signingKey() {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: randomBytes(8).toString('hex') };
}

async function providerAt(issuer, options, people) {
  return new Provider(issuer, {
    clients: [
      {
        client_id: options['client-id'],
        client_secret: options['client-secret'],
        redirect_uris: options['redirect-uri'],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    jwks: { keys: [await signingKey()] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['given_name', 'family_name'] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    // oidc-provider passes claims on as they are, whatever their type.
    findAccount: (_, id) => (people.has(id) ? { accountId: id, claims: () => ({ sub: id, ...people.get(id) }) } : undefined),
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope(oidc.params.scope);
      await grant.save();
      return grant;
    },
  });
}

const page = (ids) => `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>Test provider</title><link rel="icon" href="data:,"></head>
  <body>
    <h1>Who are you?</h1>
    <form method="post">
${ids.map((id) => `      <p><button name="person" value="${id}">${id}</button></p>`).join('\n')}
      <p><button name="cancel" value="yes">Cancel</button></p>
    </form>
  </body>
</html>
`;

async function formOf(request) {
  const chunks = await request.toArray();
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

/** Asks who it is unless that was said, and goes on with the answer. */
async function interact(provider, people, request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const form = request.method === 'POST' ? await formOf(request) : new URLSearchParams({ person: params.login_hint ?? '' });
  if (form.has('cancel')) {
    await provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'The person cancelled.' });
  } else if (people.has(form.get('person'))) {
    await provider.interactionFinished(request, response, { login: { accountId: form.get('person') } });
  } else {
    response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page([...people.keys()]));
  }
}

/** Takes the session's cookies away from a request, so that nobody is known yet. */
function forget(request) {
  const cookies = (request.headers.cookie ?? '').split(/;\s*/);
  request.headers.cookie = cookies.filter((cookie) => !cookie.startsWith('_session')).join('; ');
}

const options = settings();
const people = peopleAt(options['email-for'].map((text) => text.split(/=(.*)/s, 2)));
const server = createServer();
server.listen(Number(options.port), 'localhost');
await once(server, 'listening');
const issuer = `http://localhost:${server.address().port}`;
const provider = await providerAt(issuer, options, people);
provider.on('server_error', (_, error) => console.error(error));
const serve = provider.callback();
server.on('request', (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  if (options['log-requests']) {
    console.error(`${request.method} ${pathname}`);
  }
  if (pathname.startsWith('/interaction/')) {
    interact(provider, people, request, response).catch((error) => response.writeHead(400).end(error.message));
    return;
  }
  if (pathname.startsWith('/auth')) {
    forget(request);
  }
  serve(request, response);
});
console.log(JSON.stringify({ issuer }));

process.stdin.resume();
process.stdin.on('close', () => process.exit());
