/**
 * What a recording says. A request has three parts: the way in, until the handler is called; the handler, with what it
 * calls; and the way out, from the handler's end until the response has left. A handler that calls nothing of the
 * library has an empty part.
 */
export const PARTS = ['in', 'handler', 'out'];

/** Files and functions that a request passes. */
export function summaryOf(calls) {
  return {
    files: new Set(calls.map(({ file }) => file)).size,
    classes: new Set(calls.flatMap(({ key }) => key ?? [])).size,
    entries: calls.length,
    filesPerPart: Object.fromEntries(PARTS.map((part) => [part, filesOf(calls, part)])),
    visitedTwice: PARTS.flatMap((part) => visitedTwice(calls, part)),
  };
}

function filesOf(calls, part) {
  return new Set(calls.flatMap((call) => (call.part === part ? call.file : []))).size;
}

/**
 * Classes that are visited more than once in one pass. A pass is one call of the platform into the library: Nest calls a
 * guard, an interceptor and a parameter decorator on the way in, and on the way out tells of a value and of the end; Node
 * sends the response and says that it is closed. What a call leads to after an `await` is of the same pass.
 *
 * A visit begins where a class is entered while no call of it is open, so that callbacks and nested calls belong to the
 * visit that they come from; so does what an async method calls after an `await`. A second entry begins a second
 * visit only if another class was entered since that this class had not called, directly or not: a caller that asks
 * the same class two things in a row visits it once. To make an object is no visit. Functions outside classes are
 * helpers: they are passed through, and are no visit themselves.
 *
 * `isLeaf`: the class has called no other class in that pass. A clock or a value that is asked again is one of these.
 */
export function visitedTwice(calls, part) {
  const passes = groupedByPass(calls);
  return [...passes.values()].flatMap((pass) => visitedTwiceIn(pass, part));
}

function groupedByPass(calls) {
  const passes = new Map();
  for (const call of calls) passes.set(call.pass, [...(passes.get(call.pass) ?? []), call]);
  return passes;
}

function visitedTwiceIn(pass, part) {
  const inPart = pass.filter(
    (call) => call.part === part && call.key !== null && call.name !== 'constructor',
  );
  const visits = new Map();
  inPart.forEach((call, index) => {
    const known = visits.get(call.key) ?? { count: 0, entries: [], last: -1 };
    visits.set(call.key, known);
    const between = inPart.slice(known.last + 1, index);
    known.last = index;
    if (!call.isFromOutside) return;
    const hasLeft = between.some((other) => other.key !== call.key && !isCalledBy(other, call.key));
    if (known.count > 0 && !hasLeft) return;
    known.count++;
    known.entries.push(`${call.name}, from ${callerOf(call)}`);
  });
  return [...visits].flatMap(([key, { count, entries }]) => {
    if (count < 2) return [];
    const [file, className] = key.split(' ');
    const isLeaf = !inPart.some((call) => call.key !== key && isCalledBy(call, key));
    return [{ part, file, className, visits: count, isLeaf, entries }];
  });
}

function isCalledBy({ parent }, key) {
  for (let at = parent; at !== null; at = at.parent) if (at.key === key) return true;
  return false;
}

function callerOf({ parent }) {
  if (parent === null) return 'outside';
  return `${parent.className ?? parent.file} ${parent.name}`;
}

/** The calls in order as `(part, file, class)`; the same ones in a row are one, with their number. */
export function traceOf(calls) {
  const trace = [];
  for (const { part, file, className, name } of calls) {
    const last = trace.at(-1);
    if (last && last.part === part && last.file === file && last.className === className) {
      last.entries++;
      last.names.push(name);
    } else trace.push({ part, file, className, entries: 1, names: [name] });
  }
  return trace;
}
