import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity()
export class User {
  @PrimaryGeneratedColumn()
  readonly id!: number;

  @Column()
  name!: string;

  /** Who signs in with a password: the name, in lower case. */
  @Column({ type: 'varchar', nullable: true, unique: true })
  login!: string | null;

  /** `salt.hash`, both base64url. */
  @Column({ type: 'varchar', nullable: true })
  password!: string | null;

  /** Who signs in with the provider: its id of the user, which never changes. Names do. */
  @Column({ type: 'varchar', nullable: true, unique: true })
  providerId!: string | null;
}
