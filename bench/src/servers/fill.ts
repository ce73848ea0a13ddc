/** Data of about so many bytes as JSON: a small profile, and a cart for the rest. */
export function dataOf(bytes: number): Record<string, unknown> {
  const data = {
    theme: 'dark',
    locale: 'en-GB',
    count: 0,
    cart: [] as object[],
    returnTo: '/account/orders?page=2',
  };
  while (JSON.stringify(data).length < bytes) {
    const sku = `sku-${1000 + data.cart.length}`;
    data.cart.push({ sku, title: `Item ${data.cart.length} of the cart`, count: 1, cents: 1999 });
  }
  return data;
}

/** What every contender answers to a read. */
export interface ReadAnswer {
  readonly theme: string;
  readonly items: number;
}
