// The server under test, seen from outside: where it is, whom its tokens name,
// and the letters that a development server keeps instead of sending them.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createRemoteJWKSet, jwtVerify } from 'jose';

function required(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: BASE_URL and SECRET_KEY name a running development server`);
  }
  return value;
}

export const baseURL = required('BASE_URL').replace(/\/$/, '');
export const secretKey = required('SECRET_KEY');
export const graphqlURL = `${baseURL}/graphql`;
export const socketURL = graphqlURL.replace(/^http/, 'ws');

/** A person who has never been here, with a password nobody else uses. */
export function newPerson() {
  return {
    emailAddress: `person-${randomBytes(6).toString('hex')}@example.com`,
    password: randomBytes(18).toString('base64url'),
  };
}

/** The code in the newest letter to the address; waits for one to arrive. */
export async function codeSentTo(emailAddress) {
  const url = `${baseURL}/dev/outbox?format=json&to=${encodeURIComponent(emailAddress)}`;
  const deadline = Date.now() + 10_000;
  for (;;) {
    const response = await fetch(url);
    assert.equal(response.status, 200, `GET ${url}`);
    const [newest] = await response.json();
    if (newest) {
      assert.match(newest.code, /^\d{6}$/);
      return newest.code;
    }
    assert.ok(Date.now() < deadline, `no letter to ${emailAddress}`);
    await delay(20);
  }
}

/** Sends a document by plain fetch, as the backend that holds the secret key. */
export async function asBackend(query, variables) {
  const response = await fetch(graphqlURL, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${secretKey}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** Checks a session token as any backend would, and returns its claims. */
export async function verifyToken(token) {
  const keys = createRemoteJWKSet(new URL(`${baseURL}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(token, keys, { algorithms: ['ES256'], requiredClaims: ['iss', 'sub', 'sid', 'exp'] });
  assert.ok(payload.exp - payload.iat <= 60, 'the token lives longer than a minute');
  return payload;
}
