export { SessionEntity, sessionEntity } from './backends/typeorm/schema/session.entity.js';
export type { TypeOrmSessionBackendOptions } from './backends/typeorm/typeorm-session-backend-options.js';
export { TypeOrmSessionBackend } from './backends/typeorm/typeorm-session-backend.js';
export type { ActiveSession, ActiveSessionPage, ListActiveOptions } from './core/active-sessions.js';
export type { CleanupClaim } from './core/cleanup-lease.js';
export { Clock } from './core/clock.js';
export type { Duration } from './core/duration.js';
export type { JsonObject, JsonValue } from './core/json-data.js';
export type { KeyInput } from './core/key-ring.js';
export type { KeyOptions, KeyValueStore, SessionStateInput } from './core/key-value-store.js';
export {
  type BackendHealth,
  type InsertRequest,
  type InsertResult,
  type ListRequest,
  type PayloadChange,
  type PruneResult,
  type PruneStep,
  type RowSelection,
  SessionBackend,
  type TokenChange,
  type Touch,
  type WalkResult,
  type WalkStep,
} from './core/session-backend.js';
export type { EndedSessions, SessionBus } from './core/session-bus.js';
export type { SessionLimit } from './core/session-limit.js';
export type { FlashMessage } from './core/session-content.js';
export type { SessionData } from './core/session-data.js';
export {
  type DataFault,
  SessionConflictError,
  SessionDataError,
  SessionError,
  type SessionErrorCode,
  SessionGoneError,
  SessionLimitError,
  SessionOptionsError,
  SessionStoreError,
  SessionTamperedError,
  SessionTooLargeError,
} from './core/session-errors.js';
export {
  type RevokeReason,
  type SessionEvent,
  type SessionEventListener,
  type SessionEventMap,
  type SessionEventName,
  SessionEvents,
} from './core/session-events.js';
export type {
  SessionHealth,
  SessionProblem,
  SessionProblemCode,
  SessionWarning,
  SessionWarningCode,
} from './core/session-health.js';
export type { SessionLogger } from './core/session-logger.js';
export type {
  Lifetimes,
  LiveOptions,
  RotationOptions,
  SessionConfig,
  SessionStoreOptions,
} from './core/session-options.js';
export type { CleanupResult, Stoppable } from './core/session-pruning.js';
export {
  type SessionIntegrity,
  SessionRecord,
  type SessionState,
  type SessionWithToken,
} from './core/session-record.js';
export type { EndedRow, EpochMs, LiveRow, SessionRow, TokenState } from './core/session-row.js';
export { SessionStore } from './core/session-store.js';
export { SessionToken, type Transport } from './core/session-token.js';
export type { ClientChangeReaction } from './http/security/client-change.js';
export type { CsrfOptions } from './http/security/csrf.js';
export type {
  ExpressSession,
  ExpressSessionCallback,
  ExpressSessionCookie,
  ExpressSessionMembers,
} from './http/express-session/types.js';
export type { SessionHttpOptions } from './http/http-options.js';
export type { CookieOptions } from './http/response/session-cookie.js';
export {
  AuthenticationRequiredException,
  CrossSiteRequestException,
  SessionUnsupportedException,
  TwoTokensException,
} from './http/errors/exceptions.js';
export { SessionHttpException, toHttpException } from './http/errors/to-http-exception.js';
export { currentSession } from './http/request/current-session.js';
export { sessionOf } from './http/request/session-of.js';
export { Public, RequireAuth, Session, SkipSession, SkipTouch, UserId } from './http/session.decorators.js';
export { type SocketSession, socketSession } from './http/sockets/socket-sessions.js';
export { SessionGuard } from './http/session.guard.js';
export { SessionInterceptor } from './http/session.interceptor.js';
export type { AuthenticateOptions, RequestSession, SessionInfo } from './http/session.interface.js';
export type { CleanupOptions } from './ops/cleanup-options.js';
export { SessionCleanup } from './ops/session-cleanup.js';
export { SessionHealthIndicator, type SessionsDown, type SessionsUp } from './ops/session.health.js';
export { type SessionAsyncOptions, SessionModule, type SessionSettingsFactory } from './session.module.js';
export type { Replaceable, SessionOptions, SessionSettings, SessionStructure } from './session.options.js';
