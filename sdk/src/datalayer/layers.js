/** The array that a page calls its data layer, also when another one takes its place. */

const LOOK_MS = 1e3;

/**
 * Call `take` with each entry of `past`, which `first` has, and with all that is pushed to `scope[name]` from now on.
 *
 * Some scripts put another array in its place, with or without what stood in the old one, and some bring their own
 * `push`. So a look at the array, each second and when the page goes, finds what came another way; an object is taken
 * once then, while whoever pushes it twice means it twice.
 * @param {any} scope the window
 * @param {string} name
 * @param {unknown[]} past
 * @param {(entry: unknown) => void} take
 * @param {any} first
 */
export const watch = (scope, name, past, take, first) => {
  const taken = new WeakSet();
  const hooked = new WeakSet();

  const note = (entry) => {
    if (typeof entry === 'object' && entry) taken.add(entry);
    take(entry);
  };

  const hook = (layer) => {
    if (hooked.has(layer) || typeof layer.push !== 'function') return;
    hooked.add(layer);
    const push = layer.push;
    try {
      layer.push = function (...entries) {
        entries.forEach(note);
        return push.apply(this, entries);
      };
    } catch {
      // A frozen array; what comes is found by looking.
    }
  };

  const look = () => {
    const layer = scope[name];
    if (!Array.isArray(layer)) return;
    hook(layer);
    for (const entry of [...layer]) if (typeof entry === 'object' && entry && !taken.has(entry)) note(entry);
  };

  // What stood there before `past` was read by somebody else.
  const isRead = new Set(past);
  for (const entry of Array.isArray(first) ? first : []) {
    if (typeof entry === 'object' && entry && !isRead.has(entry)) taken.add(entry);
  }
  if (first) hook(first);
  past.forEach(note);
  try {
    let current = scope[name];
    Object.defineProperty(scope, name, {
      configurable: true,
      enumerable: true,
      get: () => current,
      set: (next) => {
        current = next;
        look();
      },
    });
  } catch {
    // Declared by `var`: found by looking.
  }
  look();
  setInterval(look, LOOK_MS);
  // Before the tracker sends what it has: it listens without capturing.
  scope.addEventListener?.('pagehide', look, true);
};
