/*
 * The `?` of statements: how many there may be in one, and lists of them.
 */

/**
 * Values that one statement binds at most, apart from a few that its condition has: far below the limits of databases, the
 * lowest of which is SQLite's, 999 in some builds. Lists that are longer are spread over several statements.
 */
export const MAX_PARAMETERS = 512;

/** Placeholders for so many values. */
export function placeholders(count: number): string {
  return repeated('?', count);
}

/** The same text so many times, as a list. */
export function repeated(text: string, count: number): string {
  return Array.from({ length: count }, () => text).join(', ');
}

/** Items in portions that fit one statement each. @param parameters values that one item binds */
export function chunked<T>(items: readonly T[], parameters = 1): T[][] {
  const size = Math.floor(MAX_PARAMETERS / parameters);
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** Statements by the number of their rows, made once each. */
export function statementByCount(make: (count: number) => string): (count: number) => string {
  const made = new Map<number, string>();
  return (count) => {
    const statement = made.get(count) ?? make(count);
    made.set(count, statement);
    return statement;
  };
}
