import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startWorld } from './harness.mjs';

const PACKAGES = fileURLToPath(new URL('../frameworks/node_modules', import.meta.url));
if (!existsSync(PACKAGES)) throw Error(`the frameworks are not there: cd sdk/frameworks && npm ci`);
const { FRAMEWORKS, inFramework } = await import('../frameworks/matrix.mjs');

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

for (const framework of FRAMEWORKS) {
  test(`${framework.name}: served, hydrated, changed, bought from, routed and unmounted, and nothing stays`, async () => {
    const { failures, nodes, listeners } = await inFramework(world, framework, { mounts: 30 });
    assert.deepEqual(failures, []);
    assert.ok(nodes <= 0, `${nodes} nodes stay of 30 mounts`);
    assert.ok(listeners <= 0, `${listeners} listeners stay of 30 mounts`);
  });
}
