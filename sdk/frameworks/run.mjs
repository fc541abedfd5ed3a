/** Write one line of JSON: the matrix of frameworks, and what jumps. `node run.mjs MOUNTS [LAYOUT…]`. */
import { startWorld } from '../tests/harness.mjs';
import { FRAMEWORKS, inFramework } from './matrix.mjs';
import { shiftOf, STATES, WIDTHS } from './shift.mjs';

const [mounts, ...layouts] = process.argv.slice(2);
const world = await startWorld();
const frameworks = [];
const shifts = [];
for (const framework of FRAMEWORKS) frameworks.push(await inFramework(world, framework, { mounts: +mounts }));
for (const layout of layouts)
  for (const width of WIDTHS)
    for (const state of Object.keys(STATES)) shifts.push(await shiftOf(world, state, width, layout));
await world.stop();
process.stdout.write(JSON.stringify({ frameworks, shifts }) + '\n');
