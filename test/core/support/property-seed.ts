/**
 * What random tests start from: fixed, so that a run can be repeated. `TEST_SEED=… npm test -- test/core` explores
 * elsewhere; a failure prints the seed.
 */
export const PROPERTY_SEED = Number(process.env['TEST_SEED'] ?? 20_300_101);
