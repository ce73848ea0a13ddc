export interface Product {
  readonly id: string;
  readonly name: string;
  readonly note: string;
  /** Cents. */
  readonly price: number;
}

export const PRODUCTS: readonly Product[] = [
  {
    id: 'sencha',
    name: 'Sencha',
    note: 'Green, first flush. Grass, sea air, a little sweetness.',
    price: 1450,
  },
  {
    id: 'oolong',
    name: 'Mountain Oolong',
    note: 'Half-oxidised. Lilac, butter, a long finish.',
    price: 1890,
  },
  { id: 'assam', name: 'Assam', note: 'Black, second flush. Malt and dark honey.', price: 1150 },
  { id: 'rooibos', name: 'Rooibos', note: 'Red bush, no caffeine. Vanilla and dry wood.', price: 890 },
  { id: 'mint', name: 'Garden Mint', note: 'Peppermint and nana, cut by hand.', price: 790 },
  { id: 'white', name: 'White Peony', note: 'Barely touched leaves. Melon, hay, calm.', price: 2100 },
];

/** The product with that id, whatever a form has sent as one. */
export function findProduct(id: unknown): Product | null {
  return PRODUCTS.find((product) => product.id === id) ?? null;
}

const EURO = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' });

/** Cents as "€14.50". */
export function price(cents: number): string {
  return EURO.format(cents / 100);
}
