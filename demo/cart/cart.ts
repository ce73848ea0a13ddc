import { findProduct, type Product } from './products.js';

/** How many of each product, by id. Sessions hold ids and counts: names and prices are the shop's to say. */
export type Cart = Record<string, number>;

export interface CartLine {
  readonly product: Product;
  readonly count: number;
}

const MAX_OF_ONE_PRODUCT = 99;

export function oneMore(cart: Cart = {}, id: string): Cart {
  return { ...cart, [id]: Math.min((cart[id] ?? 0) + 1, MAX_OF_ONE_PRODUCT) };
}

export function oneLess(cart: Cart = {}, id: string): Cart {
  const { [id]: count = 0, ...others } = cart;
  return count > 1 ? { ...others, [id]: count - 1 } : others;
}

export function linesOf(cart: Cart = {}): CartLine[] {
  return Object.entries(cart).flatMap(([id, count]) => {
    const product = findProduct(id);
    return product ? [{ product, count }] : [];
  });
}

export function countOf(cart: Cart = {}, id: string): number {
  return cart[id] ?? 0;
}

export function countItems(cart?: Cart): number {
  return linesOf(cart).reduce((sum, { count }) => sum + count, 0);
}

/** Cents. */
export function totalOf(cart?: Cart): number {
  return linesOf(cart).reduce((sum, { product, count }) => sum + product.price * count, 0);
}
