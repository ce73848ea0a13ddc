import fc from 'fast-check';
import { openStore, START } from './support/open-store.js';
import { PROPERTY_SEED } from './support/property-seed.js';
import { type RealStore, type StoreCommand, storeCommands } from './support/store-commands.js';
import { MODEL_OPTIONS, StoreModel } from './support/store-model.js';

const RUNS = 300;

describe('the store, beside a Map that does the same', () => {
  it(`says and holds the same after every step of ${RUNS} random sequences of up to 60 commands`, async () => {
    const ran = new Map<string, number>();
    const sequences = fc.commands(storeCommands, { maxCommands: 60, size: 'max' });
    const property = fc.asyncProperty(sequences, async (commands) => {
      const setup = (): { model: StoreModel; real: RealStore } => ({
        model: new StoreModel(START),
        real: { ...openStore(MODEL_OPTIONS), tokens: [], ids: [] },
      });
      await fc.asyncModelRun(setup, commands as Iterable<StoreCommand>);
      for (const { cmd } of (commands as { commands?: { cmd: StoreCommand }[] }).commands ?? []) {
        const name = String(cmd).split('(')[0] ?? '';
        ran.set(name, (ran.get(name) ?? 0) + 1);
      }
    });
    await fc.assert(property, { seed: PROPERTY_SEED, numRuns: RUNS });
    expect([...ran.keys()]).toHaveLength(storeCommands.length);
    expect(Math.min(...ran.values())).toBeGreaterThan(RUNS / 2);
  });
});
