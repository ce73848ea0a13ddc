import { Body, Controller, Get, Post } from '@nestjs/common';
import { RequireAuth, Session, UserId } from 'nest-sessions';

declare module 'nest-sessions' {
  interface SessionData {
    notes?: string[];
  }
}

/** Notes that a signed-in user keeps in the session. */
@Controller('notes')
@RequireAuth()
export class NotesController {
  @Get()
  list(@UserId() userId: string, @Session() session: Session): { userId: string; notes: string[] } {
    return { userId, notes: session.data.notes ?? [] };
  }

  @Post()
  add(@Body() body: { note: string }, @Session() session: Session): Promise<number> {
    return session.update((data) => (data.notes ??= []).push(body.note));
  }
}
