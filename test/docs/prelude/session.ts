import type { Session } from 'nest-sessions';

export declare const session: Session;
