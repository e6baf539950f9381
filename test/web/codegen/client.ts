// A sign-up client whose operations and results are typed from the schema. Copy
// this folder, run `npm run generate` after every change of a .graphql file, and
// let `npm run check` find what no longer fits.
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import {
  SignUpCreateDocument,
  SignUpStatusChangedDocument,
  SignUpVerificationCheckDocument,
  type SignUpStateFragment,
  type VerificationProofInput,
} from './generated.js';

/** Speaks to a server in bearer mode: for apps, and for pages on another site. */
export class SignUpClient {
  #token: string | null = null;
  readonly #url: string;
  readonly #socket: Client;

  /** In Node.js before 22 pass the WebSocket class of npm ws. */
  constructor(url: string, webSocketImpl?: unknown) {
    this.#url = url;
    this.#socket = createClient({
      url: url.replace(/^http/, 'ws'),
      connectionParams: () => ({ Authorization: `Bearer ${this.#token}` }),
      webSocketImpl,
    });
  }

  async execute<Result, Variables>(document: TypedDocumentNode<Result, Variables>, variables: Variables): Promise<Result> {
    const headers = new Headers({ 'Content-Type': 'application/json', 'Client-Mode': 'bearer' });
    if (this.#token !== null) {
      headers.set('Authorization', `Bearer ${this.#token}`);
    }
    const response = await fetch(this.#url, {
      method: 'POST',
      headers,
      body: JSON.stringify({ query: print(document), variables }),
    });
    this.#token = response.headers.get('Client-Token') ?? this.#token;
    const answer: { data?: Result; errors?: { message: string }[] } = await response.json();
    if (answer.data === undefined || answer.errors !== undefined) {
      throw new Error(answer.errors?.map(({ message }) => message).join('; ') ?? response.statusText);
    }
    return answer.data;
  }

  async *watch<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
  ): AsyncGenerator<Result> {
    for await (const { data, errors } of this.#socket.iterate<Result>({ query: print(document), variables })) {
      if (!data) {
        throw new Error(errors?.map(({ message }) => message).join('; ') ?? 'no data');
      }
      yield data;
    }
  }
}

/**
 * Signs a person up by email code and returns the new user's id. `show` is told
 * every state, and `askForCode` where the code was sent to.
 */
export async function signUp(
  client: SignUpClient,
  person: { emailAddress: string; password: string },
  show: (state: SignUpStateFragment) => void,
  askForCode: (sentTo: string) => Promise<string>,
): Promise<string> {
  const { signUpCreate } = await client.execute(SignUpCreateDocument, {
    input: { ...person, startVerifications: [{ strategy: 'EMAIL_CODE' }] },
  });
  const [refused] = signUpCreate.userErrors;
  if (refused) {
    throw new Error(`${refused.attribute ?? 'sign-up'}: ${refused.message}`);
  }

  let asked = false;
  for await (const { signUpStatusChanged: state } of client.watch(SignUpStatusChangedDocument, {})) {
    show(state);
    if (state.status === 'COMPLETE' && state.createdUserId !== null) {
      return state.createdUserId;
    }
    const challenge = state.verifications.emailAddress?.challenge;
    if (!asked && challenge?.__typename === 'CodeChallenge') {
      asked = true;
      const proof: VerificationProofInput = { emailCode: await askForCode(challenge.sentTo) };
      const { signUpVerificationCheck } = await client.execute(SignUpVerificationCheckDocument, { input: { proof } });
      const [wrong] = signUpVerificationCheck.userErrors;
      if (wrong) {
        throw new Error(wrong.message);
      }
    }
  }
  throw new Error('the sign-up was abandoned');
}
