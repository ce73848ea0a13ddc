import {
  SessionConflictError,
  SessionDataError,
  SessionError,
  SessionGoneError,
  SessionLimitError,
  SessionOptionsError,
  SessionStoreError,
  SessionTamperedError,
  SessionTooLargeError,
  STANDS_FOR_CAUSE,
} from '../../src/core/session-errors.js';

const ERRORS = [
  [SessionError, 'SessionError', 'session_error'],
  [SessionOptionsError, 'SessionOptionsError', 'session_options_invalid'],
  [SessionStoreError, 'SessionStoreError', 'session_store_unavailable'],
  [SessionGoneError, 'SessionGoneError', 'session_gone'],
  [SessionConflictError, 'SessionConflictError', 'session_conflict'],
  [SessionLimitError, 'SessionLimitError', 'session_limit_reached'],
  [SessionTooLargeError, 'SessionTooLargeError', 'session_too_large'],
  [SessionTamperedError, 'SessionTamperedError', 'session_tampered'],
  [SessionDataError, 'SessionDataError', 'session_data_invalid'],
] as const;

describe.each(ERRORS)('%p', (type, name, code) => {
  it('has a name, a code and a cause, and is a SessionError', () => {
    const cause = new Error('why');
    const error = new type('what', { cause });
    expect(error).toMatchObject({ name, code, message: 'what', cause });
    expect(error).toBeInstanceOf(SessionError);
    expect(error).toBeInstanceOf(Error);
    expect(error.stack).toContain(`${name}: what`);
  });

  it('is no other one', () => {
    const error = new type('what');
    for (const [other] of ERRORS)
      expect(error instanceof other).toBe(other === type || other === SessionError);
  });

  it('is matched by the exception that stands for it, and by no other exception', () => {
    const exception = Object.assign(new Error('409', { cause: new type('what') }), {
      [STANDS_FOR_CAUSE]: true,
    });
    expect(exception instanceof type).toBe(true);
    expect(exception instanceof SessionError).toBe(true);
    for (const [other] of ERRORS)
      expect(exception instanceof other).toBe(other === type || other === SessionError);
    expect(new Error('409', { cause: new type('what') }) instanceof type).toBe(false);
    for (const value of [null, undefined, 'x', {}, { [STANDS_FOR_CAUSE]: true }]) {
      expect((value as unknown) instanceof type).toBe(false);
    }
  });
});
