// Each client library that frontends use takes a person through a whole sign-up
// while it watches the sign-up live.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client as UrqlClient, fetchExchange } from '@urql/core';
import { OperationTypeNode } from 'graphql';
import { createClient as createHTTPClient } from 'graphql-http';
import { createClient as createSSEClient } from 'graphql-sse';
import { createClient as createWSClient } from 'graphql-ws';
import WebSocket from 'ws';
import { Bearer } from './bearer.mjs';
import { documents } from './documents/index.mjs';
import { asBackend, codeSentTo, graphqlURL, newPerson, socketURL, verifyToken } from './server.mjs';

// A client under test answers with the data of a mutation, and gives the data of
// a subscription as an async iterable that ends when the server completes it.
// Anything else, errors in the answer above all, it throws.
const clients = {
  'graphql-ws, with graphql-http for mutations': (bearer) => {
    const socket = createWSClient({
      url: socketURL,
      webSocketImpl: WebSocket,
      connectionParams: bearer.connectionParams,
      retryAttempts: 0,
    });
    return {
      mutate: mutateByHTTP(bearer),
      subscribe: (name, variables) => dataOf(socket.iterate({ query: documents[name], variables })),
      close: () => socket.dispose(),
    };
  },

  'graphql-sse, with graphql-http for mutations': (bearer) => {
    const stream = createSSEClient({ url: graphqlURL, fetchFn: bearer.fetch, retryAttempts: 0 });
    return {
      mutate: mutateByHTTP(bearer),
      subscribe: (name, variables) => dataOf(stream.iterate({ query: documents[name], variables })),
      close: () => stream.dispose(),
    };
  },

  '@apollo/client, with graphql-ws for subscriptions': (bearer) => {
    const socket = createWSClient({
      url: socketURL,
      webSocketImpl: WebSocket,
      connectionParams: bearer.connectionParams,
      retryAttempts: 0,
    });
    const client = new ApolloClient({
      cache: new InMemoryCache({ possibleTypes: { VerificationChallenge: ['CodeChallenge', 'RedirectChallenge', 'MessageChallenge'] } }),
      link: ApolloLink.split(
        ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
        new GraphQLWsLink(socket),
        new HttpLink({ uri: graphqlURL, fetch: bearer.fetch }),
      ),
    });
    return {
      mutate: async (name, variables) => (await client.mutate({ mutation: gql(documents[name]), variables })).data,
      subscribe: (name, variables) => dataOf(iterate((sink) => client.subscribe({ query: gql(documents[name]), variables }).subscribe(sink))),
      close: () => {
        client.stop();
        return socket.dispose();
      },
    };
  },

  '@urql/core, with its own subscriptions by fetch': (bearer) => {
    const client = new UrqlClient({
      url: graphqlURL,
      fetch: bearer.fetch,
      exchanges: [fetchExchange],
      fetchSubscriptions: true,
      preferGetMethod: false,
    });
    return {
      mutate: async (name, variables) => {
        const { data, error } = await client.mutation(documents[name], variables).toPromise();
        if (error) {
          throw error;
        }
        return data;
      },
      subscribe: (name, variables) =>
        dataOf(
          iterate((sink) => {
            // At the end of the stream urql repeats its last result, without hasNext.
            return client.subscription(documents[name], variables).subscribe((result) => {
              if (result.error) {
                sink.error(result.error);
              } else if (result.hasNext) {
                sink.next(result);
              } else {
                sink.complete();
              }
            });
          }),
        ),
      close: () => {},
    };
  },
};

for (const [name, create] of Object.entries(clients)) {
  test(name, { timeout: 30_000 }, async () => {
    const bearer = new Bearer();
    const client = create(bearer);
    try {
      await signUp(client, bearer);
    } finally {
      await client.close();
    }
  });
}

async function signUp(client, bearer) {
  const person = newPerson();

  const created = (
    await client.mutate('SignUpCreate', {
      input: { ...person, startVerifications: [{ strategy: 'EMAIL_CODE' }] },
    })
  ).signUpCreate;
  assert.deepEqual(created.userErrors, []);
  assert.equal(created.signUp.status, 'MISSING_REQUIREMENTS');
  assert.deepEqual(created.signUp.missingFields, []);
  assert.deepEqual(created.signUp.unverifiedFields, ['EMAIL_ADDRESS']);
  assert.equal(created.signUp.verifications.emailAddress.challenge.__typename, 'CodeChallenge');
  assert.match(bearer.token, /^ct_/);
  const firstToken = bearer.token;

  const events = client.subscribe('SignUpStatusChanged', { id: created.signUp.id });
  const present = (await events.next()).value.signUpStatusChanged;
  assert.equal(present.status, 'MISSING_REQUIREMENTS');
  assert.ok(present.revision >= created.signUp.revision);

  const checked = (
    await client.mutate('SignUpVerificationCheck', {
      input: { proof: { emailCode: await codeSentTo(person.emailAddress) } },
    })
  ).signUpVerificationCheck;
  assert.deepEqual(checked.userErrors, []);
  assert.equal(checked.signUp.status, 'COMPLETE');
  assert.match(bearer.token, /^ct_/);
  assert.notEqual(bearer.token, firstToken, 'the token was not rotated');

  const seen = [present];
  for await (const { signUpStatusChanged } of events) {
    assert.ok(signUpStatusChanged.revision > seen.at(-1).revision, 'revisions do not rise');
    seen.push(signUpStatusChanged);
  }
  const final = seen.at(-1);
  assert.equal(final.status, 'COMPLETE');
  assert.equal(final.revision, checked.signUp.revision);
  assert.deepEqual(final.unverifiedFields, []);
  assert.equal(final.createdUserId, checked.signUp.createdUserId);

  const issued = (await client.mutate('SessionTokenCreate', {})).sessionTokenCreate;
  assert.deepEqual(issued.userErrors, []);
  const claims = await verifyToken(issued.token);
  assert.equal(claims.sub, checked.signUp.createdUserId);
  assert.equal(claims.sid, checked.signUp.createdSessionId);

  const { user } = await asBackend(documents.User, { id: claims.sub });
  assert.equal(user.emailAddress, person.emailAddress);
  assert.equal(user.passwordEnabled, true);
  assert.ok(user.identifiers.every(({ verifiedAt }) => verifiedAt));
}

function mutateByHTTP(bearer) {
  const client = createHTTPClient({ url: graphqlURL, fetchFn: bearer.fetch });
  return (name, variables) =>
    new Promise((resolve, reject) => {
      let answer;
      client.subscribe(
        { query: documents[name], variables },
        {
          next: (result) => {
            answer = result;
          },
          error: reject,
          complete: () => (answer.errors ? reject(new Error(JSON.stringify(answer.errors))) : resolve(answer.data)),
        },
      );
    });
}

/** The data of each result; a result with errors is thrown. */
async function* dataOf(results) {
  for await (const { data, errors, error } of results) {
    if (errors || error) {
      throw error ?? new Error(JSON.stringify(errors));
    }
    yield data;
  }
}

/** What an observable emits, in order, as an async iterable. */
async function* iterate(observe) {
  const arrived = [];
  let wake = () => {};
  const put = (event) => {
    arrived.push(event);
    wake();
  };
  const subscription = observe({
    next: (value) => put({ value }),
    error: (error) => put({ error }),
    complete: () => put({ done: true }),
  });
  try {
    for (;;) {
      while (arrived.length === 0) {
        await new Promise((resolve) => {
          wake = resolve;
        });
      }
      const { value, error, done } = arrived.shift();
      if (error) {
        throw error;
      }
      if (done) {
        return;
      }
      yield value;
    }
  } finally {
    subscription.unsubscribe();
  }
}
