import { Column, CreateDateColumn, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import type { Cart } from './cart.js';

/** What was bought is the app's own data, in the app's own database. The session only held the cart. */
@Entity()
export class Order {
  @PrimaryGeneratedColumn()
  id!: number;

  @Index()
  @Column('text')
  userId!: string;

  @Column('simple-json')
  items!: Cart;

  /** Cents. */
  @Column('integer')
  total!: number;

  @CreateDateColumn()
  placedAt!: Date;
}
