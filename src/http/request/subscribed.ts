/*
 * Which operations of GraphQL have subscribed, so that a guard was asked.
 */

const subscribed = new WeakSet<object>();

/** A guard has been asked about a subscription. @param contextValue the `context` of its operation */
export function noteSubscribed(contextValue: unknown): void {
  if (typeof contextValue === 'object' && contextValue !== null) subscribed.add(contextValue);
}

/** Whether events are resolved for a subscription about which a guard was asked. */
export function hasSubscribed(contextValue: unknown): boolean {
  return typeof contextValue === 'object' && contextValue !== null && subscribed.has(contextValue);
}
