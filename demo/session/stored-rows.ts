import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { SessionBackend, type SessionRow } from 'nest-sessions';

/**
 * Rows of sessions as storage has them, whichever it is. An app has no use for them: this one shows them, for everybody to
 * see that there is nothing to see.
 */
@Injectable()
export class StoredRows implements OnModuleInit {
  #backend: SessionBackend | null = null;

  constructor(private readonly modules: ModuleRef) {}

  onModuleInit(): void {
    this.#backend = this.modules.get(SessionBackend, { strict: false });
  }

  /** The row with that id, or `null`. */
  async find(id: string | null): Promise<SessionRow | null> {
    if (id === null || this.#backend === null) return null;
    const [row = null] = await this.#backend.find([id]);
    return row;
  }
}
