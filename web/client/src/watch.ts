// A sign-up as it changes: each way takes one connection to its end and says whether
// anything came of it.
import { Watch } from './generated/documents.ts';
import type { SignUpFragment, WatchSubscription } from './generated/types.ts';
import type { Wire } from './wire.ts';

type See = (signUp: SignUpFragment) => void;
interface Result {
  readonly data?: WatchSubscription | null;
}

/** As much of a browser's WebSocket as is used; that of the npm package ws has it too. */
export type SocketClass = new (url: string, protocol: string) => {
  readonly readyState: number;
  onopen: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  send(text: string): void;
  close(): void;
};

const QUIET = 25_000; // milliseconds without a word: ask, and as long again: it is dead

/** Calls `silent` after a while without `heard`, with how often that has happened in a row. */
function silence(silent: (times: number) => void): { heard(): void; stop(): void } {
  let times = 0;
  let timer: ReturnType<typeof setTimeout>;
  const wait = (): void => {
    timer = setTimeout(() => {
      silent(++times);
      if (times < 2) wait();
    }, QUIET);
  };
  wait();
  return {
    heard() {
      clearTimeout(timer);
      times = 0;
      wait();
    },
    stop: () => clearTimeout(timer),
  };
}

/** By graphql-transport-ws. */
export function bySocket(wire: Wire, Socket: SocketClass, id: string, see: See, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    let seen = false;
    let socket: InstanceType<SocketClass> | undefined;
    const say = (message: object): void => socket?.send(JSON.stringify(message));
    const quiet = silence((times) => (times > 1 || socket?.readyState !== 1 ? end() : say({ type: 'ping' })));
    const end = (): void => {
      quiet.stop();
      signal.removeEventListener('abort', end);
      // Browsers complain of one that is closed before it is open.
      if (socket?.readyState === 0) socket.onopen = () => socket?.close();
      else socket?.close();
      resolve(seen);
    };
    signal.addEventListener('abort', end);
    try {
      socket = new Socket(wire.url.replace(/^http/, 'ws'), 'graphql-transport-ws');
    } catch {
      return end();
    }
    socket.onopen = () => say({ type: 'connection_init', payload: wire.credentials() });
    socket.onclose = socket.onerror = end;
    socket.onmessage = ({ data }) => {
      quiet.heard();
      const { type, payload }: { type: string; payload?: Result } = JSON.parse(data);
      if (type === 'connection_ack') say({ id: '1', type: 'subscribe', payload: { query: Watch, variables: { id } } });
      else if (type === 'ping') say({ type: 'pong' });
      else if (type === 'next' && payload?.data) {
        seen = true;
        see(payload.data.signUpStatusChanged);
      } else if (type !== 'pong') end();
    };
  });
}

/** By server-sent events, in the answer to a POST. */
export async function byStream(wire: Wire, id: string, see: See, signal: AbortSignal): Promise<boolean> {
  let seen = false;
  const stop = new AbortController();
  const end = (): void => stop.abort();
  const quiet = silence((times) => times > 1 && end());
  signal.addEventListener('abort', end);
  try {
    const { body } = await wire.post({ query: Watch, variables: { id } }, 'text/event-stream', wire.token(), stop.signal);
    const reader = body?.getReader();
    const decoder = new TextDecoder();
    let text = '';
    for (let part; reader && !(part = await reader.read()).done; ) {
      quiet.heard();
      const lines = (text + decoder.decode(part.value, { stream: true })).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const result: Result = line.startsWith('data: {') ? JSON.parse(line.slice(6)) : {};
        if (!result.data) continue;
        seen = true;
        see(result.data.signUpStatusChanged);
      }
    }
  } catch {
    // The wire broke, or what came was no stream: so it has ended.
  }
  quiet.stop();
  end();
  signal.removeEventListener('abort', end);
  return seen;
}
