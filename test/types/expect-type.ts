type IsAny<T> = 0 extends 1 & T ? true : false;

/** Whether each is assignable to the other, and neither is `any`. */
type IsSame<A, B> = [IsAny<A>, IsAny<B>, A, B] extends [false, false, B, A] ? true : false;

/** `expectType<Wanted>()(value)` compiles when the type of `value` is `Wanted`, no wider and no narrower. */
export function expectType<Wanted>(): <const Actual>(
  value: IsSame<Wanted, Actual> extends true ? Actual : never,
) => void {
  return () => undefined;
}
