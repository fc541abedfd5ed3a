/** @recsite/node: the API for shop servers, and what a server knows of the shopper who asks for a page. */
import { createHmac } from 'node:crypto';

export { ApiError, OPERATIONS, Recsite } from '../../../api-client/index.mjs';

const LONGEST_S = 900;

/**
 * Return the anonymous id of a request's `Cookie` header, or undefined: with it a server asks for the lists of the very
 * shopper whose page it makes. The cookie is there where the shop hands a path of its own domain to Recsite.
 */
export const anonymousId = (cookies) => /(?:^|;\s*)rec_aid=([\w-]{16,64})(?=\s*(?:;|$))/.exec(cookies ?? '')?.[1];

const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Return the token by which a page may name the user: a JWT (HS256), valid for 15 minutes at most. */
export const signUserToken = (userId, { site, secret, lifetimeS = LONGEST_S, now = Date.now() }) => {
  if (!userId || !site || !secret)
    throw TypeError('userId, site and secret are needed; the admin shows the last two under Embed');
  if (!(lifetimeS > 0 && lifetimeS <= LONGEST_S))
    throw RangeError(`lifetimeS: ${lifetimeS} is not between 1 and ${LONGEST_S}`);
  const iat = Math.floor(now / 1000);
  const head = part({ alg: 'HS256', typ: 'JWT' });
  const signed = `${head}.${part({ sub: String(userId), site, iat, exp: iat + Math.floor(lifetimeS) })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
};
