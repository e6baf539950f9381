// One request and its answer: credentials, the token that comes back, and what to do
// where the wire breaks. Everything sent here can be sent again.
import type { Kept } from './token.ts';
import { pause } from './waiting.ts';

/** An operation's text, which knows the types of its variables and of its result. */
export type Operation<Result, Variables> = string & { readonly types?: (variables: Variables) => Result };

/** A request that has no answer. Its message is a sentence for people. */
export class Broken extends Error {
  /** UNAUTHENTICATED: what was asked for belongs to a client that we are not, or no more. */
  readonly gone: boolean;
  constructor(message: string, gone = false) {
    super(message);
    this.gone = gone;
  }
}

export interface Wire {
  readonly url: string;
  /** The headers' names are the keys of `connection_init` as well. */
  credentials(token?: string | null): Record<string, string>;
  post(body: object, accept: string, token: string | null, signal: AbortSignal): Promise<Response>;
  token(): string | null;
  /** Throws nothing but `Broken`. */
  send<Result, Variables>(operation: Operation<Result, Variables>, variables: Variables, how?: Sending): Promise<Result>;
}

export interface Sending {
  /** It makes sense for a new client too: a token that is void is left out. */
  readonly anonymous?: boolean;
  /** Whether to send it again where no answer came; true where left out. */
  readonly repeat?: boolean;
  readonly signal?: AbortSignal;
}

interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

const UNREACHABLE = 'The server cannot be reached. Check the connection and try again.';
const GONE = 'This sign-up cannot be reached from here any more. Please begin again.';
const WAITS = [300, 1000, 3000]; // milliseconds, before each further try
const PATIENCE = 20_000; // for one answer
const OTHER_TAB = 500; // for another tab to write down the token that has taken ours' place

export function createWire(
  url: string,
  mode: 'cookie' | 'bearer',
  publishableKey: string | undefined,
  kept: Kept,
  fetch: typeof globalThis.fetch,
): Wire {
  const bearer = mode === 'bearer';
  const token = (): string | null => (bearer ? kept.get() : null);

  const credentials = (of: string | null = token()): Record<string, string> => ({
    ...(publishableKey && { 'Publishable-Key': publishableKey }),
    ...(bearer && { 'Client-Mode': 'bearer' }),
    ...(of && { Authorization: `Bearer ${of}` }),
  });

  const post: Wire['post'] = async (body, accept, of, signal) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: accept, ...credentials(of) },
      credentials: bearer ? 'omit' : 'include',
      body: JSON.stringify(body),
      signal,
    });
    const next = response.headers.get('Client-Token');
    if (bearer && next) kept.set(next);
    return response;
  };

  /** A token other than this one, which another tab may be about to write down; null if there is none. */
  async function successor(of: string): Promise<string | null> {
    if (kept.get() === of) await pause(OTHER_TAB);
    const now = kept.get();
    if (now !== of) return now;
    kept.set(null);
    return null;
  }

  const send: Wire['send'] = async (query, variables, { anonymous = false, repeat = true, signal } = {}) => {
    // A repeated mutation is told by the token it was first sent with.
    let sentWith = token();
    let problem = UNREACHABLE;
    for (let tries = 0; ; ) {
      let wait = WAITS[tries] ?? 0;
      const patience = new AbortController();
      const stop = (): void => patience.abort();
      const timer = setTimeout(stop, PATIENCE);
      signal?.addEventListener('abort', stop);
      try {
        if (signal?.aborted) throw new Broken(UNREACHABLE);
        const response = await post({ query, variables }, 'application/graphql-response+json', sentWith, patience.signal);
        const { data, errors }: Answer = await response.json().catch(() => ({}));
        if (data && !errors) return data as never;
        const [error] = errors ?? [];
        if (error?.extensions?.code === 'UNAUTHENTICATED') {
          const refused = sentWith;
          if (refused !== null) sentWith = await successor(refused);
          if (refused !== null && (sentWith !== null || anonymous)) continue;
          throw new Broken(anonymous ? error.message : GONE, true);
        }
        problem = error?.message ?? `The server answered with something unexpected (HTTP ${response.status}).`;
        if (response.status < 500 && response.status !== 429) throw new Broken(problem);
        wait = Math.max(wait, Math.min(Number(response.headers.get('Retry-After')) || 0, 10) * 1000);
      } catch (error) {
        if (error instanceof Broken) throw error;
        problem = UNREACHABLE;
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', stop);
      }
      if (!repeat || signal?.aborted || tries++ >= WAITS.length) throw new Broken(problem);
      await pause(wait * (1 + Math.random() / 4), signal);
    }
  };

  return { url, credentials, post, token, send };
}
