import type { ExecutionContext } from '@nestjs/common';
import { setImmediate } from '../../core/timers.js';
import type { HttpRuntime } from '../http-options.js';
import { forClients } from '../errors/to-http-exception.js';
import { runWithin } from '../platform/carrier.js';
import { contextValueOf, executionOf, infoOf, isOfEvent, upgradesOf } from '../platform/graphql-call.js';
import { RequestLocal } from '../platform/request-local.js';
import type { LoadedSession } from '../session/request-session-state.js';
import { FieldSaves } from './field-saves.js';
import { handlerOf, type RoutePolicy } from './route-policy.js';
import { MessageExchange, type SocketFacts, SocketMessage } from './socket-message.js';

/*
 * An operation of GraphQL over a socket, and its session.
 */

/** A socket for operations of GraphQL. */
interface GraphqlSocket {
  readonly runtime: HttpRuntime;
  readonly facts: SocketFacts;
}

/** Open sockets for operations of GraphQL, by the request that has opened each. */
const sockets = new RequestLocal<GraphqlSocket>('nest-sessions graphql socket');

/** From now on operations whose context leads to that request have the session of the socket that it has opened. */
export function keepGraphqlSocket(upgrade: object, socket: GraphqlSocket): void {
  sockets.set(upgrade, socket);
  areThereSockets = true;
}

/** Whether there has been any: apps without them pay nothing. */
let areThereSockets = false;

/** The socket that the `context` of an operation leads to; `null`: none that is known. */
export function graphqlSocketOf(contextValue: unknown): GraphqlSocket | null {
  for (const upgrade of upgradesOf(contextValue)) {
    const socket = sockets.get(upgrade);
    if (socket !== undefined) return socket;
  }
  return null;
}

/** Operations, by what the fields of each execution share. */
const operations = new WeakMap<object, SocketOperation>();

/** The operation over a socket that a resolver is called for; `null` when there is none. */
export function operationOf(context: ExecutionContext): SocketOperation | null {
  return operationIn(contextValueOf(context), infoOf(context));
}

/** The same, by what graphql-js calls a resolver with. */
export function operationIn(contextValue: unknown, info: unknown): SocketOperation | null {
  if (!areThereSockets) return null;
  const execution = executionOf(info);
  if (execution === null) return null;
  const known = operations.get(execution);
  if (known !== undefined) return known;
  const socket = graphqlSocketOf(contextValue);
  if (socket === null) return null;
  const operation = new SocketOperation(socket);
  operations.set(execution, operation);
  return operation;
}

/**
 * One execution of an operation over a socket: what its resolvers run on behalf of. A subscription has one for its begin, and
 * one for each event, so that the session is as fresh as the event.
 */
export class SocketOperation extends SocketMessage {
  readonly #runtime: HttpRuntime;
  /** How many resolvers are at work. */
  #resolvers = 0;
  #waiting: (() => void)[] = [];

  constructor({ runtime, facts }: GraphqlSocket) {
    super(facts, facts);
    this.#runtime = runtime;
  }

  /**
   * Looks the session up, the first time. What a subscription sends is no use of the session.
   *
   * @throws SessionHttpException (401) when it has ended, (503) when it cannot be looked up
   */
  openFor(
    context: ExecutionContext,
    { skipsTouch }: Pick<RoutePolicy, 'skipsTouch'>,
  ): OperationExchange | Promise<OperationExchange> {
    const countsAsTouch = !skipsTouch && !isOfEvent(context);
    const enter = (opened: MessageExchange): OperationExchange => {
      const exchange = opened as OperationExchange;
      exchange.routeField(countsAsTouch);
      return exchange;
    };
    const opening = this.open(this.#runtime, countsAsTouch, handlerOf(context));
    return opening instanceof Promise ? opening.then(enter) : enter(opening);
  }

  protected override makeExchange(
    ...given: ConstructorParameters<typeof MessageExchange>
  ): OperationExchange {
    this.#settleLater(); // fields may have guards of ours, and no interceptor
    return new OperationExchange(this, ...given);
  }

  /** Whether a resolver is at work. */
  get isAtWork(): boolean {
    return this.#resolvers > 0;
  }

  override get exchange(): OperationExchange | null {
    return super.exchange as OperationExchange | null;
  }

  /** A resolver is called. */
  enter(): void {
    this.#resolvers++;
    this.exchange?.reopen();
  }

  /** A resolver has ended. Others of the same operation may be called after it. */
  leave(): void {
    this.#resolvers--;
    if (!this.isAtWork) this.#settleLater();
  }

  /**
   * Calls a resolver that may pass no interceptor: what it has changed is saved before its value is passed on.
   *
   * @throws what the resolver throws, or why its changes could not be saved
   */
  around(resolve: () => unknown): Promise<unknown> {
    return runWithin(this, async () => {
      this.enter();
      try {
        return await resolve();
      } finally {
        try {
          await this.#saveField();
        } finally {
          this.leave();
        }
      }
    });
  }

  /** Fields that run side by side share one save. */
  async #saveField(): Promise<void> {
    const { exchange } = this;
    if (exchange === null || exchange.state.status === 'clean') return;
    const { fields } = exchange;
    try {
      await fields.end(fields.begin());
    } catch (error) {
      throw forClients(error);
    }
  }

  /** Calls `then` when no resolver is at work any more, and the answer has been handed on; `false`, and never, when none is. */
  override afterwards(then: () => void): boolean {
    if (!this.isAtWork) return false;
    this.#waiting.push(then);
    return true;
  }

  #settleLater(): void {
    setImmediate(() => {
      if (this.isAtWork) return;
      this.exchange?.detach();
      for (const then of this.#waiting.splice(0)) then();
    });
  }
}

/**
 * The session of one execution. Its resolvers share one save, as over HTTP. Nothing tells when the client has been answered: it
 * may have been whenever no resolver is at work.
 */
export class OperationExchange extends MessageExchange {
  readonly operation: SocketOperation;
  readonly #fields = new FieldSaves(this);
  #isDetached = false;

  constructor(
    operation: SocketOperation,
    runtime: HttpRuntime,
    isBearer: boolean,
    loaded: LoadedSession,
    countsAsTouch: boolean,
    what: string,
  ) {
    super(runtime, isBearer, loaded, countsAsTouch, what);
    this.operation = operation;
  }

  override get fields(): FieldSaves {
    return this.#fields;
  }

  override get isOver(): boolean {
    return !this.operation.isAtWork;
  }

  /** The operation has come to a resolver. Each guard of a field says so. */
  routeField(countsAsTouch: boolean): void {
    this.state.route(countsAsTouch);
    this.state.touchIfDue();
  }

  override enterHandler(): void {
    this.operation.enter();
  }

  override leaveHandler(): void {
    this.operation.leave();
  }

  /** A resolver is called again: what it changes is saved when it has ended. */
  reopen(): void {
    if (this.#isDetached) this.state.reopen();
    this.#isDetached = false;
  }

  override flush(): Promise<void> {
    return this.flushNow();
  }

  override detach(): void {
    this.#isDetached = true;
    super.detach();
  }
}
