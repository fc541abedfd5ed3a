/** Whatever somebody pushed → plain data: without functions, elements, cycles, and fields that cannot be read. */

const MAX_DEPTH = 8;
const MAX_ENTRIES = 5_000; // also of an object: it may be a table of items
const MAX_TEXT = 2_000;

const kindOf = (value) => Object.prototype.toString.call(value).slice(8, -1);

/** Return the value of a field; undefined where reading it throws. */
export const field = (object, name) => {
  try {
    return object?.[name];
  } catch {
    // A getter of somebody else's.
  }
};

/**
 * Return a copy of `value` that is plain data; undefined for what is none.
 * @param {any} value
 * @param {unknown[]} [above] the objects around it
 * @returns {any}
 */
export const plain = (value, above = []) => {
  if (typeof value === 'string') return value.slice(0, MAX_TEXT);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object' || above.length >= MAX_DEPTH || above.includes(value)) return;
  const inside = [...above, value];
  const kind = kindOf(value);
  if (kind === 'String' || kind === 'Number' || kind === 'Boolean') return value.valueOf();
  if (kind === 'Date') return isNaN(+value) ? undefined : value.toISOString();
  if (Array.isArray(value) || kind === 'Set' || kind === 'Arguments') {
    return Array.from(value)
      .slice(0, MAX_ENTRIES)
      .map((each) => plain(each, inside));
  }
  if (kind !== 'Object') return; // elements, windows, promises, …
  const copy = {};
  for (const name of Object.keys(value).slice(0, MAX_ENTRIES)) {
    const inner = plain(field(value, name), inside);
    if (inner !== undefined && name !== '__proto__') copy[name] = inner;
  }
  return copy;
};
