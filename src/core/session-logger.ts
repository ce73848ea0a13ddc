/** Where the store logs what no caller gets as an error: outages, failing listeners, failing background work. */
export interface SessionLogger {
  warn(message: string): void;
  error(message: string): void;
}

/** Node's own channel for warnings, for use without a framework. */
export const processLogger: SessionLogger = {
  warn: (message) => process.emitWarning(message, 'nest-sessions'),
  error: (message) => process.emitWarning(message, 'nest-sessions'),
};
