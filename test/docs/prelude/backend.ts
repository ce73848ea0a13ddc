import { MemorySessionBackend } from 'nest-sessions/testing';

export class RedisSessionBackend extends MemorySessionBackend {}
