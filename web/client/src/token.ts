// Where a client's token is kept, when the page keeps it itself.

/** As much of `localStorage` as is used. */
export interface Storage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** One value in a storage that all tabs share; in memory where there is none, or it refuses. */
export interface Kept {
  get(): string | null;
  set(value: string | null): void;
  /** Tells of changes that other tabs make; returns what ends that. */
  watch(changed: () => void): () => void;
}

export function keep(key: string, storage: Storage | undefined): Kept {
  let own: string | null = null;
  return {
    get() {
      try {
        if (storage) return storage.getItem(key) ?? own;
      } catch {
        // A browser may keep storage from a page: the value lives as long as the page.
      }
      return own;
    },
    set(value) {
      own = null;
      try {
        if (value === null) storage?.removeItem(key);
        else storage?.setItem(key, value);
        if (storage) return;
      } catch {
        // As above; a full storage is another reason.
      }
      own = value;
    },
    watch(changed) {
      const heard = (event: StorageEvent): void => {
        if (event.key === key && event.newValue !== null) changed();
      };
      globalThis.addEventListener?.('storage', heard);
      return () => globalThis.removeEventListener?.('storage', heard);
    },
  };
}

/** The browser's own, where the page may use it. */
export function localStorageIfAny(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}
