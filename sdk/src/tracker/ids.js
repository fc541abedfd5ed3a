/** Random identifiers. */

/** Return 128 random bits as hex: an anonymous id opens that shopper's lists, so it must not be guessable. */
export const secretId = () =>
  Array.from(crypto.getRandomValues(new BigUint64Array(2)), (half) => half.toString(16).padStart(16, '0')).join('');

/** Return a UUIDv7 (RFC 9562), so that event ids sort by the time they were made. Its variant's two low bits are 0. */
export const uuid7 = () =>
  (Date.now().toString(16).padStart(12, '0') + secretId()).replace(
    /(.{8})(.{4})(...)(...)(.{12}).*/,
    '$1-$2-7$3-8$4-$5',
  );
