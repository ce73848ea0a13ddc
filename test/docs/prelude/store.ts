import type { SessionStore } from 'nest-sessions';

export declare const store: SessionStore;
export declare const user: { readonly id: number };
