/** Random identifiers. */

const hex = (bytes) => Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join('');

const random = () => crypto.getRandomValues(new Uint8Array(16));

/** Return 128 random bits as hex: an anonymous id opens that shopper's lists, so it must not be guessable. */
export const secretId = () => hex(random());

/** Return a UUIDv7 (RFC 9562), so that event ids sort by the time they were made. */
export const uuid7 = () => {
  const bytes = random();
  let ms = Date.now();
  for (let i = 6; i--;) {
    bytes[i] = ms; // a Uint8Array keeps the low byte
    ms = Math.floor(ms / 256);
  }
  bytes[6] = (bytes[6] & 15) | 112;
  bytes[8] = (bytes[8] & 63) | 128;
  return hex(bytes).replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};
