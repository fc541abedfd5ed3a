import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { shiftOf, STATES, WIDTHS } from '../frameworks/shift.mjs';
import { startWorld } from './harness.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

for (const width of WIDTHS)
  test(`nothing jumps at ${width} px, one request and one socket a page, and no hole without the script`, async () => {
    for (const state of Object.keys(STATES)) {
      const { cls, requests, sockets, hole } = await shiftOf(world, state, width);
      assert.ok(cls <= 0.02, `layout shift ${cls} of lists that are ${state}`);
      assert.ok(hole <= 1, `a hole of ${hole} px where they are ${state}`);
      const isBlocked = state.startsWith('blocked');
      assert.equal(requests, isBlocked ? 0 : 1, state);
      assert.equal(sockets, isBlocked ? 0 : 1, state);
    }
  });
