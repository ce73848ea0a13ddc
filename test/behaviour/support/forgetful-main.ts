// A process of its own with an app that forgets its promises, and no test runner that would take their rejections.
import { FORGETFUL } from './forgotten-calls.js';
import { openApp, type Platform } from '../../support/open-app.js';

const [platform, mount] = process.argv.slice(2) as [Platform, 'guard' | 'middleware'];

const { port, store } = await openApp(platform, {
  options: { mount, transport: ['cookie', 'bearer'], maxPerUser: 1, onLimit: 'reject' },
  routes: FORGETFUL,
});
await store.create({}, 'full');
process.send?.(port);
process.once('disconnect', () => process.exit());
