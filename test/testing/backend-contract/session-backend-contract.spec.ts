import { MemorySessionBackend } from '../../../src/backends/memory/memory-session-backend.js';
import type { TwoBackends } from '../../../src/testing/backend-contract/contract-rule.js';
import { sessionBackendContract } from '../../../src/testing/backend-contract/session-backend-contract.js';
import { BROKEN_CHANGES } from './broken/broken-changes.js';
import { BROKEN_INSERTS } from './broken/broken-inserts.js';
import { BROKEN_LEASES } from './broken/broken-leases.js';
import { BROKEN_LIMITS, RightOwnLimit } from './broken/broken-limits.js';
import { BROKEN_READS_AND_DELETES } from './broken/broken-reads-and-deletes.js';
import { BROKEN_PROCESSES } from './broken/broken-processes.js';
import { BROKEN_WALKS } from './broken/broken-walks.js';
import type { Flaw } from './broken/flaw.js';

const FLAWS = [
  ...BROKEN_INSERTS,
  ...BROKEN_LIMITS,
  ...BROKEN_CHANGES,
  ...BROKEN_READS_AND_DELETES,
  ...BROKEN_WALKS,
  ...BROKEN_PROCESSES,
  ...BROKEN_LEASES,
];

/** The rules that a backend breaks, as `group › name`. */
async function brokenBy(Backend: Flaw['Backend']): Promise<string[]> {
  const broken: string[] = [];
  const open = (): TwoBackends => {
    const first = new Backend();
    return [first, new Backend(first)];
  };
  for (const rule of sessionBackendContract) {
    await rule.run(open).catch(() => broken.push(`${rule.group} › ${rule.name}`));
  }
  return broken;
}

describe('the contract of SessionBackend', () => {
  it.each([MemorySessionBackend, RightOwnLimit].map((Backend) => ({ name: Backend.name, Backend })))(
    'passes $name',
    async ({ Backend }) => {
      expect(await brokenBy(Backend)).toEqual([]);
    },
  );

  it.each(FLAWS.map((flaw) => ({ ...flaw, name: flaw.Backend.name })))(
    'catches $name: $caughtBy',
    async ({ Backend, caughtBy }) => {
      const broken = await brokenBy(Backend);
      expect(broken).toContain(caughtBy);
    },
  );

  it('has no two flaws of one name', () => {
    const names = FLAWS.map(({ Backend }) => Backend.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('has no two rules of one name', () => {
    const names = sessionBackendContract.map(({ group, name }) => `${group} › ${name}`);
    expect(new Set(names).size).toBe(names.length);
  });
});
