/** The middle of a list, `NaN` of an empty one. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Below which `share` of the values lie, interpolated. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const [low = NaN, high = NaN] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}
