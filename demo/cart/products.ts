export interface Product {
  readonly id: string;
  readonly name: string;
  readonly note: string;
  /** Cents. */
  readonly price: number;
}

export const PRODUCTS: readonly Product[] = [
  { id: 'notebook', name: 'Notebook', note: '192 pages, dotted.', price: 1450 },
  { id: 'pen', name: 'Fountain pen', note: 'Fine nib, brass, for a lifetime.', price: 4890 },
  { id: 'ink', name: 'Midnight ink', note: '50 ml.', price: 950 },
  {
    id: 'cards',
    name: 'Correspondence cards',
    note: 'Twelve, with envelopes. Cotton paper, uncoated.',
    price: 1890,
  },
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
