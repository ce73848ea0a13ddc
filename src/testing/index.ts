export { MemorySessionBackend } from '../backends/memory/memory-session-backend.js';
export { createTestSession } from './create-test-session.js';
export { describeSessionBackend } from './describe-session-backend.js';
export { ManualClock } from './manual-clock.js';
export { runWithSession } from './run-with-session.js';
export { signIn, type SignedIn, type SignedInBearer, type SignInOptions } from './sign-in.js';
