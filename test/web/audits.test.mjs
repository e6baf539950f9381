// GraphQL over HTTP, judged by the audit suite of npm graphql-http.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverAudits } from 'graphql-http';
import { graphqlURL } from './server.mjs';

// What the specification leaves to us and we chose against. A link or an image
// on any page can make a browser send a GET with the visitor's cookies, and URLs
// end up in logs: so GET executes nothing, queries included.
const refusedByChoice = {
  '5A70': 'MAY accept application/x-www-form-urlencoded formatted GET requests',
  D6D5: 'MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/graphql-response+json',
  '6A70': 'MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/json',
};

const audits = serverAudits({ url: graphqlURL, fetchFn: fetch });

test('the suite has the audits that were chosen against', () => {
  const names = new Map(audits.map(({ id, name }) => [id, name]));
  for (const [id, name] of Object.entries(refusedByChoice)) {
    assert.equal(names.get(id), name);
  }
});

for (const { id, name, fn } of audits) {
  if (id in refusedByChoice) {
    test(`${id} refused by choice: ${name}`, async () => {
      const result = await fn();
      assert.equal(result.status, 'notice', 'it passes now: take it off the list');
      assert.equal(result.response.status, 405);
      assert.equal(result.response.headers.get('allow'), 'POST');
      await result.response.body?.cancel();
    });
  } else {
    test(`${id} ${name}`, async () => {
      const result = await fn();
      await result.response?.body?.cancel();
      assert.equal(result.status, 'ok', result.reason);
    });
  }
}
