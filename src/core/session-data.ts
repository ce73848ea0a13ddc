/**
 * What an app keeps in a session. Empty here: apps extend it by declaration merging, and `session.data`, `get`, `set`
 * and `@Session('key')` are typed everywhere.
 */
// oxlint-disable-next-line typescript/no-empty-interface -- merged by apps
export interface SessionData {}
