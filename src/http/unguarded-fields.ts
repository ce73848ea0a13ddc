import type { Type } from '@nestjs/common';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { SessionOptionsError } from '../core/session-errors.js';
import { readPolicy } from './request/route-policy.js';

/** What `@nestjs/graphql` calls its module, the options of that, and what it notes of methods that guards need not reach. */
const GRAPHQL_MODULE = 'GraphQLModule';
const GRAPHQL_OPTIONS = 'GqlModuleOptions';
const FIELD_METADATA = ['graphql:resolve_property', 'graphql:resolve_reference'] as const;

/** What the options of `@nestjs/graphql` say of guards, and which modules' resolvers they are for. */
interface GraphqlOptions {
  readonly fieldResolverEnhancers?: readonly string[];
  readonly include?: readonly unknown[];
}

/**
 * Refuses to start an app that protects a field of GraphQL with `@RequireAuth()`, where its guards would not run: they do so
 * for fields only with `fieldResolverEnhancers: ['guards']`, so that anybody could read it. To be called when all providers
 * have been made.
 *
 * @throws SessionOptionsError naming class and method of a field that `@RequireAuth()` protects
 */
export function refuseUnguardedFields(modules: ModulesContainer): void {
  const all = [...modules.values()];
  const unguarded = all
    .filter(({ metatype }) => metatype.name === GRAPHQL_MODULE)
    .map(({ providers }) => providers.get(GRAPHQL_OPTIONS)?.instance as GraphqlOptions | undefined)
    .filter((options) => options !== undefined && !options.fieldResolverEnhancers?.includes('guards'));
  if (unguarded.length === 0) return;
  const scanner = new MetadataScanner();
  for (const { metatype: module, providers } of all) {
    const isServed = unguarded.some((options) => {
      const include = options?.include ?? [];
      return include.length === 0 || include.includes(module);
    });
    if (!isServed) continue;
    for (const { metatype } of providers.values()) {
      if (typeof metatype !== 'function') continue;
      const methods = metatype.prototype as Record<string, () => unknown> | undefined;
      if (methods === undefined) continue;
      for (const name of scanner.getAllMethodNames(methods)) {
        const handler = methods[name];
        if (handler === undefined || !FIELD_METADATA.some((key) => Reflect.hasMetadata(key, handler)))
          continue;
        const { auth } = readPolicy(handler, metatype as Type);
        if (auth !== null && !auth.isPublic) throw unguardedField(`${metatype.name}.${name}`);
      }
    }
  }
}

function unguardedField(field: string): SessionOptionsError {
  return new SessionOptionsError(
    `@RequireAuth(): expected guards to run for the field ${field}, got GraphQLModule without ` +
      "`fieldResolverEnhancers: ['guards']`, so that anybody could read it. Add that option, or put `@Public()` on the " +
      'field if what leads to it is protected',
  );
}
