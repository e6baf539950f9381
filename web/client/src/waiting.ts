// Waiting that ends early when there is reason to: the page is shown again, or is online.

/** Waits so many milliseconds, or until the signal. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done);
    if (signal?.aborted) done();
  });
}

const asleep = (): boolean => globalThis.document?.visibilityState === 'hidden' || globalThis.navigator?.onLine === false;

/** Waits as `pause` does, and then for as long as nobody sees the page or it has no network. */
export async function pauseAwake(milliseconds: number, signal: AbortSignal): Promise<void> {
  const early = new AbortController();
  const wake = (): void => {
    if (signal.aborted || !asleep()) early.abort();
  };
  signal.addEventListener('abort', wake);
  globalThis.addEventListener?.('online', wake);
  globalThis.document?.addEventListener('visibilitychange', wake);
  await pause(milliseconds, early.signal);
  if (asleep() && !signal.aborted) {
    await new Promise((resolve) => {
      early.signal.addEventListener('abort', resolve);
    });
  }
  signal.removeEventListener('abort', wake);
  globalThis.removeEventListener?.('online', wake);
  globalThis.document?.removeEventListener('visibilitychange', wake);
}
