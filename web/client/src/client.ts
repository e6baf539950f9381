// One sign-up of one person, as a state that can be watched and a few things to do.
import { Check, Create, Now, SessionToken, Settings, SignIn, Start, Update } from './generated/documents.ts';
import type {
  NowQuery,
  SessionProofInput,
  SettingsFragment,
  SignUpCreateInput,
  SignUpFragment,
  SignUpUpdateInput,
  UserErrorFragment,
  VerificationProofInput,
  VerificationStartInput,
  VerificationStrategy,
} from './generated/types.ts';
import { nameOf } from './steps.ts';
import { keep, localStorageIfAny, type Storage } from './token.ts';
import { pauseAwake } from './waiting.ts';
import { bySocket, byStream, type SocketClass } from './watch.ts';
import { Broken, createWire, type Operation, type Sending } from './wire.ts';

export interface Options {
  /** Of the GraphQL endpoint. */
  readonly url: string;
  /** Names the instance, where the server has several. */
  readonly publishableKey?: string | undefined;
  /** cookie: page and server are of one site. bearer: the page keeps a token itself. */
  readonly mode: 'cookie' | 'bearer';
  /** For the token; `localStorage` where left out. */
  readonly storage?: Storage | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Null: none. Where left out, the environment's. */
  readonly webSocket?: SocketClass | null | undefined;
  /** Milliseconds between looks at what cannot be watched; 5,000 where left out. */
  readonly pollInterval?: number | undefined;
}

/**
 * - loading: nothing is known yet; `resume` finds out
 * - none: there is no sign-up
 * - open: something is needed; see `nextSteps`
 * - complete: the person has a user and a session, by this sign-up or by `signIn`
 * - abandoned: too late, or another one was begun; `restart`
 */
export type Phase = 'loading' | 'none' | 'open' | 'complete' | 'abandoned';
export type Connection = 'websocket' | 'sse' | 'polling' | 'offline';

export interface Session {
  readonly id: string;
  readonly userId: string;
}

/** A snapshot: it never changes, the next one takes its place. */
export interface State {
  readonly phase: Phase;
  readonly signUp: SignUpFragment | null;
  readonly settings: SettingsFragment | null;
  readonly session: Session | null;
  /** What the last action was refused for. */
  readonly userErrors: readonly UserErrorFragment[];
  /** Whether an action is under way. */
  readonly busy: boolean;
  /** What was proven belongs to a user: `signIn()` makes a session of theirs. */
  readonly transferable: boolean;
  /** A secret, for `signIn`. */
  readonly transferToken: string | null;
  /** How changes are heard of; offline also where nothing is watched. */
  readonly connection: Connection;
  /** A broken wire or server, as a sentence for people. */
  readonly failure: string | null;
}

/** What came of an action; the state has it too. */
export interface Outcome {
  /** Whether it was done: nothing was refused, and nothing broke. */
  readonly ok: boolean;
  readonly signUp: SignUpFragment | null;
  readonly userErrors: readonly UserErrorFragment[];
  readonly failure: string | null;
  /** Where the person is to go, after the start of OAUTH. */
  readonly url: string | null;
}

export type StartOptions = Omit<VerificationStartInput, 'strategy'>;

/** A wallet in the browser, EIP-1193. */
export interface Ethereum {
  request(call: { method: string; params?: unknown[] }): Promise<unknown>;
}

/** Actions never reject, are done one after another, and are repeated safely where the wire breaks. */
export interface SignUpClient {
  readonly state: State;
  /** Tells of every later state; returns what ends that. */
  subscribe(listener: (state: State) => void): () => void;
  /**
   * Reads where things stand, and offers what the page's address brings back from a
   * provider, a mail or an invitation, which it takes out of the address.
   */
  resume(): Promise<Outcome>;
  /**
   * Opens a sign-up. Of the addresses given, those that must be verified get a code or
   * a link, unless `startVerifications` says otherwise.
   */
  create(input?: SignUpCreateInput): Promise<Outcome>;
  /** Gives, replaces or (with null) clears values; verifies as `create` does. Without a sign-up it opens one. */
  update(input?: SignUpUpdateInput): Promise<Outcome>;
  /** Starts a verification; without a sign-up it opens one. People come back to this page where nothing else is said. */
  start(strategy: VerificationStrategy, options?: StartOptions): Promise<Outcome>;
  check(proof: VerificationProofInput): Promise<Outcome>;
  /** Has a wallet sign, from its choice to the proof. */
  signWithWallet(wallet: Ethereum): Promise<Outcome>;
  /** For people who come back: by what they have just proven, or by a password or code. */
  signIn(proof?: SessionProofInput): Promise<Outcome>;
  /** A JWT for the app's backend, good for a minute; null where there is no session. */
  sessionToken(): Promise<Outcome & { readonly token: string | null }>;
  /** Puts the present sign-up, or session, aside, for another one to be begun. */
  restart(): void;
  /** Lets go of connections and timers, for good. */
  close(): void;
}

interface Payload {
  readonly signUp?: SignUpFragment | null;
  readonly session?: Session | null;
  readonly transferToken?: string | null;
  readonly token?: string | null;
  readonly userErrors: readonly UserErrorFragment[];
}

const phases = { MISSING_REQUIREMENTS: 'open', COMPLETE: 'complete', ABANDONED: 'abandoned' } as const;
const nothing: State = {
  phase: 'loading', signUp: null, settings: null, session: null, userErrors: [], busy: false,
  transferable: false, transferToken: null, connection: 'offline', failure: null,
};
/** Refusals that tell that the sign-up is not what it was thought to be. */
const otherwise = ['SIGN_UP_NOT_FOUND', 'SIGN_UP_ABANDONED', 'SIGN_UP_COMPLETE'];
const POLLS = 6; // before the better ways are tried again

const newKey = (): string => Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join('');

export function createSignUpClient(options: Options): SignUpClient {
  const { location, history } = globalThis;
  const url = new URL(options.url, location?.href).href;
  const { mode, publishableKey, pollInterval = 5000, storage = localStorageIfAny() } = options;
  const Socket: SocketClass | null | undefined = options.webSocket === undefined ? globalThis.WebSocket : options.webSocket;
  const place = `stepwise ${url} ${publishableKey ?? ''}`.trim();
  const token = keep(place, storage);
  const ticket = keep(`${place} ticket`, storage);
  const wire = createWire(url, mode, publishableKey, token, options.fetch ?? ((...request) => globalThis.fetch(...request)));

  let state = Object.freeze(nothing);
  const listeners = new Set<(state: State) => void>();
  const closed = new AbortController();
  let queue: Promise<unknown> = Promise.resolve();
  let waiting = 0; // actions
  let aside: string | null = null; // the sign-up that is not to be heard of again
  let proofs: VerificationProofInput[] = []; // brought by the page's address and not answered yet
  let looking = new AbortController();
  let watched: string | null = null;
  let watching = new AbortController();

  function set(changes: Partial<State>): void {
    if (closed.signal.aborted) return;
    state = Object.freeze({ ...state, ...changes });
    attend();
    for (const listener of [...listeners]) {
      try {
        listener(state);
      } catch (error) {
        queueMicrotask(() => {
          throw error; // the page's mistake, reported as in any of its events
        });
      }
    }
  }

  /** Takes a sign-up as the present one, unless it is older than what is known. */
  function see(signUp: SignUpFragment): void {
    const old = state.signUp;
    if (signUp.id === aside || (old?.id === signUp.id && old.revision > signUp.revision)) return;
    const { createdSessionId: id, createdUserId: userId } = signUp;
    const transferable = Object.values(signUp.verifications).some((one) => one?.status === 'TRANSFERABLE');
    set({ signUp, phase: phases[signUp.status], transferable, ...(id && userId && { session: { id, userId } }) });
    if (state.settings && signUp.settingsVersion > state.settings.version) void readSettings();
  }

  function seeAll({ signUp, client, publicSettings }: NowQuery): void {
    set({ settings: publicSettings, failure: null });
    if (signUp && signUp.id !== aside) return see(signUp);
    const session = aside === null ? (client?.activeSession ?? null) : null;
    set({ signUp: session && state.phase === 'complete' ? state.signUp : null, session, phase: session ? 'complete' : 'none' });
  }

  // One request at a time: the token that one brings is the token of the next.
  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = queue.then(work);
    queue = turn.catch(() => {});
    return turn;
  }

  const read = async (how?: Sending): Promise<void> => {
    const id = state.phase === 'open' ? (state.signUp?.id ?? null) : null;
    seeAll(await wire.send(Now, { id }, { anonymous: true, ...how }));
  };
  /** Reads for nobody in particular, and so leaves off where an action is to be done; says whether it is worth going on so. */
  function look(work: (how: Sending) => Promise<void>): Promise<boolean> {
    let signal = looking.signal;
    return inTurn(() => {
      signal = looking.signal;
      return work({ anonymous: true, repeat: false, signal });
    }).then(() => true, () => signal.aborted);
  }
  const readAll = (): Promise<boolean> => look(read);
  const readSettings = (): Promise<boolean> =>
    look(async (how) => {
      const { publicSettings } = await wire.send(Settings, {}, how);
      if (publicSettings.version !== state.settings?.version) set({ settings: publicSettings });
    });

  /** Does one thing after those before it, and tells what came of it; it never rejects. */
  function act(work: () => Promise<Payload>): Promise<Outcome & { readonly token: string | null }> {
    waiting++;
    looking.abort();
    looking = new AbortController();
    set({ busy: true });
    return inTurn(async () => {
      let payload: Payload = { userErrors: [] };
      let failure: string | null = null;
      try {
        payload = await work();
        if (payload.signUp) see(payload.signUp);
        else if (payload.userErrors.some(({ code }) => otherwise.includes(code))) await read();
      } catch (error) {
        failure = (error as Error | undefined)?.message ?? String(error); // a wallet's need not be an Error
        if (error instanceof Broken && error.gone) set({ phase: 'none', signUp: null, session: null, transferToken: null, transferable: false });
      }
      const { userErrors, transferToken, token = null } = payload;
      set({ userErrors, failure, busy: --waiting > 0, ...(transferToken && { transferToken, transferable: true }) });
      const { signUp } = state;
      const challenge = signUp?.verifications.externalAccount?.challenge;
      const to = challenge?.__typename === 'RedirectChallenge' ? challenge.url : null;
      return { ok: !failure && userErrors.length === 0, signUp, userErrors, failure, url: to, token };
    });
  }

  const mutate = async <Input>(
    operation: Operation<{ readonly outcome: Payload }, { input: Input }>,
    input: Input,
    how: Sending = {},
  ): Promise<Payload> => (await wire.send(operation, { input }, { ...how, signal: closed.signal })).outcome;

  const present = (): string | undefined => (state.phase === 'open' ? state.signUp?.id : undefined);

  /** What of an input must be verified, by the first way there is. */
  function verify(input: SignUpCreateInput): VerificationStartInput[] {
    const given = { ...input } as Record<string, unknown>;
    const old = { ...(present() && state.signUp) } as Record<string, unknown>;
    return (state.settings?.fields ?? []).flatMap(({ field, verifyAtSignUp, strategies: [strategy] }) => {
      const value = given[nameOf(field)];
      return verifyAtSignUp && strategy && value && value !== old[nameOf(field)] ? [begin(strategy)] : [];
    });
  }

  function begin(strategy: VerificationStrategy, more: StartOptions = {}): VerificationStartInput {
    const comesBack = location && (strategy === 'OAUTH' || (strategy === 'EMAIL_LINK' && mode === 'bearer'));
    return {
      strategy,
      ...(comesBack && { redirectUrl: location.origin + location.pathname }),
      ...(location && strategy === 'WEB3_SIGNATURE' && { origin: location.origin }),
      ...more,
    };
  }

  const open = async (input: SignUpCreateInput): Promise<Payload> => {
    const brought = ticket.get();
    const whole = { startVerifications: verify(input), ...(brought && { ticket: brought }), idempotencyKey: newKey(), ...input };
    const payload = await mutate(Create, whole, { anonymous: true });
    if (payload.signUp || payload.userErrors.some(({ code }) => code === 'TICKET_INVALID')) ticket.set(null);
    if (payload.signUp) {
      aside = null;
      set({ session: null, transferToken: null, transferable: false });
    }
    return payload;
  };
  const change = (input: SignUpUpdateInput): Promise<Payload> => {
    const id = input.id ?? present();
    return id ? mutate(Update, { startVerifications: verify(input), idempotencyKey: newKey(), ...input, id }) : open(input);
  };
  const begun = (strategy: VerificationStrategy, more?: StartOptions): Promise<Payload> => {
    const id = present();
    const start = begin(strategy, more);
    return id ? mutate(Start, { id, idempotencyKey: newKey(), ...start }) : open({ startVerifications: [start] });
  };
  const offer = (proof: VerificationProofInput): Promise<Payload> => {
    const id = present();
    return mutate(Check, { ...(id && { id }), proof, idempotencyKey: newKey() });
  };

  function takeFromAddress(): void {
    if (!location) return;
    const address = new URL(location.href);
    const take = (name: string): string | null => {
      const value = address.searchParams.get(name);
      address.searchParams.delete(name);
      return value;
    };
    const [oauthHandle, emailLink, invitation] = [take('sign_up_handle'), take('sign_up_link'), take('ticket')];
    if (oauthHandle) proofs.push({ oauthHandle });
    if (emailLink) proofs.push({ emailLink });
    if (invitation) ticket.set(invitation);
    if (address.href !== location.href) history.replaceState(history.state, '', address);
  }

  async function resumed(): Promise<Payload> {
    await read();
    let payload: Payload = { userErrors: [] };
    while (proofs[0]) {
      payload = await offer(proofs[0]).catch((error: unknown) => {
        if (error instanceof Broken && error.gone) proofs = []; // another browser's; else it is offered again
        throw error;
      });
      proofs = proofs.slice(1);
      if (payload.signUp) see(payload.signUp);
    }
    return payload;
  }

  // The wallet takes its time, or never answers: other actions go on meanwhile.
  async function signed(wallet: Ethereum): Promise<Outcome> {
    try {
      const [web3Wallet] = (await wallet.request({ method: 'eth_requestAccounts' })) as string[];
      if (!web3Wallet) throw new Error('The wallet has no account to sign with.');
      const chainId = Number(await wallet.request({ method: 'eth_chainId' }));
      const more = { web3Wallet, ...(state.settings?.chainIds.includes(chainId) && { chainId }) };
      const started = await act(() => begun('WEB3_SIGNATURE', more));
      const challenge = started.signUp?.verifications.web3Wallet?.challenge;
      if (!started.ok || challenge?.__typename !== 'MessageChallenge') return started;
      const bytes = new TextEncoder().encode(challenge.message);
      const message = `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
      const signature = (await wallet.request({ method: 'personal_sign', params: [message, web3Wallet] })) as string;
      return await act(() => offer({ web3Signature: { signature } }));
    } catch (error) {
      return act(() => Promise.reject(error));
    }
  }

  async function cameBack(proof: SessionProofInput): Promise<Payload> {
    // Each proof makes one session, however often it is sent, but not a password.
    const payload = await mutate(SignIn, { proof }, { anonymous: !proof.transfer, repeat: !proof.password });
    if (payload.session) {
      aside = state.signUp?.id ?? aside;
      set({ phase: 'complete', session: payload.session, transferToken: null, transferable: false });
    }
    return { userErrors: payload.userErrors };
  }

  /** Has what is to be watched watched: an open sign-up, or the settings until there is one. */
  function attend(): void {
    const id = present() ?? (state.phase === 'none' || (state.phase === 'loading' && state.failure) ? '' : null);
    if (id === watched) return;
    watched = id;
    watching.abort();
    watching = new AbortController();
    if (state.connection !== 'offline') state = Object.freeze({ ...state, connection: 'offline' });
    if (id !== null) void watch(id, watching.signal);
  }

  /** Watches by the best way that works, and comes back to it, until there is nothing to watch. */
  async function watch(id: string, signal: AbortSignal): Promise<void> {
    const heard = (connection: Connection) => {
      if (!signal.aborted && state.connection !== connection) set({ connection });
    };
    const saw = (connection: Connection) => (signUp: SignUpFragment) => {
      if (signal.aborted) return;
      heard(connection);
      see(signUp);
    };
    const ways = [
      ...(Socket ? [() => bySocket(wire, Socket, id, saw('websocket'), signal)] : []),
      () => byStream(wire, id, saw('sse'), signal),
    ];
    let failures = 0;
    const growing = (): Promise<void> => pauseAwake(Math.min(500 * 2 ** failures++, 30_000) * (0.75 + Math.random() / 2), signal);
    for (let at = id ? 0 : ways.length; !signal.aborted; ) {
      const way = ways[at];
      if (way) {
        const worked = await way();
        if (signal.aborted) return;
        if (!worked) at++;
        else {
          heard('offline');
          [at, failures] = [0, 0];
          await growing();
        }
        continue;
      }
      for (let polls = 0; polls < POLLS && !signal.aborted; ) {
        if (!id && state.phase === 'none') {
          heard('polling');
          await pauseAwake(pollInterval, signal);
          if (signal.aborted) return;
        }
        const worked = await (state.phase === 'none' ? readSettings() : readAll());
        if (signal.aborted) return;
        heard(worked ? 'polling' : 'offline');
        if (worked) failures = 0;
        if (!worked) await growing();
        else if (id) await pauseAwake(pollInterval, signal);
        if (id) polls++;
      }
      at = 0;
    }
  }

  const leaveTabs = mode === 'bearer' ? token.watch(() => void (state.phase === 'none' && readAll())) : () => {};

  return {
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    resume() {
      takeFromAddress();
      return act(resumed);
    },
    create: (input = {}) => act(() => open(input)),
    update: (input = {}) => act(() => change(input)),
    start: (strategy, more) => act(() => begun(strategy, more)),
    check: (proof) => act(() => offer(proof)),
    signWithWallet: (wallet) => signed(wallet),
    signIn: (proof) => act(() => cameBack(proof ?? { transfer: state.transferToken ?? '' })),
    sessionToken: () => act(() => mutate(SessionToken, {})),
    restart() {
      aside = state.signUp?.id ?? '';
      set({ phase: 'none', signUp: null, session: null, userErrors: [], failure: null, transferToken: null, transferable: false });
    },
    close() {
      closed.abort();
      looking.abort();
      watching.abort();
      leaveTabs();
      listeners.clear();
    },
  };
}
