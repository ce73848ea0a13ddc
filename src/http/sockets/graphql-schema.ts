import { graphqlCallIn } from '../platform/graphql-call.js';
import { operationIn } from '../request/socket-operation.js';
import { hasSubscribed } from '../request/subscribed.js';

/*
 * What no guard and no interceptor of Nest sees of an operation: the schema is where all fields are.
 */

/** What graphql-js calls a field with: the parent, the arguments, the context, and what is known of the operation. */
type ResolverArgs = readonly [source: unknown, args: unknown, contextValue: unknown, info: unknown];
type FieldResolver = (...given: ResolverArgs) => unknown;

interface FieldType {
  resolve?: FieldResolver;
}

/** A type of a schema; only those of objects have fields that are resolved. */
interface SchemaType {
  readonly name: string;
  getFields?(): Record<string, FieldType>;
}

/** A schema of graphql-js, as far as it is used here. */
export interface Schema {
  getTypeMap(): Record<string, SchemaType>;
  getQueryType(): SchemaType | null | undefined;
  getMutationType(): SchemaType | null | undefined;
  getSubscriptionType(): SchemaType | null | undefined;
}

/** Schemas that are prepared already. */
const prepared = new WeakSet<Schema>();

/**
 * From now on fields over a socket are saved before they are answered, also where they pass no interceptor; and a subscription
 * that was sent as a request, so that it has not subscribed and no guard was asked, is refused.
 *
 * @param areGuardsReplaced whether a test has put its own guards in the place of ours
 */
export function prepareSchema(schema: Schema, areGuardsReplaced: () => boolean): void {
  if (prepared.has(schema)) return;
  prepared.add(schema);
  const subscription = schema.getSubscriptionType();
  for (const field of fieldsOf(subscription))
    wrap(field, (own, given) => {
      if (!hasSubscribed(given[2]) && graphqlCallIn(given[2]) !== null && !areGuardsReplaced())
        throw new SubscriptionByRequestError();
      return own(...given);
    });
  const roots = [schema.getQueryType(), schema.getMutationType(), subscription]; // which pass the interceptor
  for (const type of Object.values(schema.getTypeMap())) {
    if (roots.includes(type) || type.name.startsWith('__')) continue;
    for (const field of fieldsOf(type))
      wrap(field, (own, given) => {
        const operation = operationIn(given[2], given[3]);
        return operation === null ? own(...given) : operation.around(() => own(...given));
      });
  }
}

function fieldsOf(type: SchemaType | null | undefined): FieldType[] {
  return typeof type?.getFields === 'function' ? Object.values(type.getFields()) : [];
}

/** Fields without a resolver of their own take a property of their parent. */
function wrap(field: FieldType, around: (own: FieldResolver, given: ResolverArgs) => unknown): void {
  const { resolve: own } = field;
  if (typeof own === 'function') field.resolve = (...given) => around(own, given);
}

/** A subscription was sent as a request over HTTP, which can be answered once. No filter of Nest sees it. */
class SubscriptionByRequestError extends Error {
  override readonly name = 'SubscriptionByRequestError';
  /** Where GraphQL looks for the code. */
  readonly extensions = { code: 'subscription_by_request' };

  constructor() {
    super('A subscription needs a socket, and this one was sent as a request');
  }
}
