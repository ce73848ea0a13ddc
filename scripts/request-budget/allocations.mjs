// The bytes that one request allocates on the heap of the process, by V8's sampling profiler. A process of its own:
// `node allocations.mjs <dist> <platform>` prints, as JSON, for each kind of request what is allocated in all, and what the
// library allocates: its own functions, and what Node does for them.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Session } from 'node:inspector/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { openMeasuredApp } from '../request-path/measured-app.mjs';

/** Requests that warm up, until V8 has compiled what is hot, and those that are sampled. */
const [WARM_UP, REQUESTS] = [6_000, 4_000];

/** Bytes between two samples, on average. */
const INTERVAL = 2_048;

const [dist, platform] = process.argv.slice(2);
const build = resolve(dist);
const app = await openMeasuredApp(build, { platform, backend: 'typeorm' });
const { port } = app.getHttpServer().address();
const load = fork(fileURLToPath(new URL('load.mjs', import.meta.url)), [String(port)]);
const profiler = new Session();
profiler.connect();
try {
  const results = {};
  for (const kind of ['read', 'save', 'sign-in']) {
    await send(kind, WARM_UP);
    results[kind] = await allocated(kind);
  }
  console.log(JSON.stringify(results));
} finally {
  profiler.disconnect();
  load.kill();
  await app.close();
}

async function send(kind, count) {
  load.send({ kind, count });
  const [{ failure }] = await once(load, 'message');
  if (failure !== null) throw new Error(failure);
}

async function allocated(kind) {
  await sleep(100); // what the requests before have left to do
  await profiler.post('HeapProfiler.startSampling', {
    samplingInterval: INTERVAL,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  await send(kind, REQUESTS);
  const { profile } = await profiler.post('HeapProfiler.stopSampling');
  const { all, own } = sumOf(profile.head, false);
  return { bytes: Math.round(all / REQUESTS), ownBytes: Math.round(own / REQUESTS) };
}

/** @param isOwn whether the nearest function that is not of Node is one of the library */
function sumOf({ callFrame: { url }, selfSize, children }, isOwn) {
  const isNow = url === '' || url.startsWith('node:') ? isOwn : url.startsWith(pathToFileURL(build).href);
  return children
    .map((child) => sumOf(child, isNow))
    .reduce((sum, { all, own }) => ({ all: sum.all + all, own: sum.own + own }), {
      all: selfSize,
      own: isNow ? selfSize : 0,
    });
}
