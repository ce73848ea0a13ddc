import { Controller, Get, HttpStatus, NotFoundException, Param, Post, Redirect, Req } from '@nestjs/common';
import type { Request } from 'express';
import { RequireAuth, Session, UserId } from 'nest-sessions';
import { page } from '../html/page.js';
import { cookieToken, partsOf } from '../session/cookie-token.js';
import { StoredRows } from '../session/stored-rows.js';
import { stagePage } from './stage.page.js';
import { type Theft, worthOf } from './theft.js';
import { theftPage } from './theft.page.js';
import { Thefts } from './thefts.js';

/** A theft on a stage: the visitor's cookie is copied, and a thief goes on with the copy. */
@Controller('theft')
export class TheftController {
  constructor(
    private readonly thefts: Thefts,
    private readonly rows: StoredRows,
  ) {}

  @Get()
  begin(@Session() session: Session): string {
    return page({ title: 'Theft', here: 'theft', session, main: stagePage(session.isAuthenticated) });
  }

  @Post()
  @RequireAuth()
  @Redirect('/theft', HttpStatus.SEE_OTHER)
  steal(@Session() { id }: Session, @UserId() userId: string, @Req() request: Request): { url: string } {
    const token = cookieToken(request);
    if (id === null || token === null) throw new NotFoundException();
    return { url: pathOf(this.thefts.stage({ userId, sessionId: id, token })) };
  }

  /** Open to whoever has the address: once the theft is found out, nobody is signed in any more. */
  @Get(':id')
  async show(@Param('id') id: string, @Session() session: Session, @Req() request: Request): Promise<string> {
    const theft = this.#find(id);
    const row = await this.rows.find(theft.sessionId);
    const now = Date.now();
    const holder = (token: string | null) =>
      token === null || partsOf(token).sessionId !== theft.sessionId
        ? null
        : { number: partsOf(token).number, worth: worthOf(token, row, now) };
    const main = theftPage({
      theft,
      you: holder(cookieToken(request)),
      thief: holder(theft.thiefToken),
      graceLeft: row === null ? 0 : Math.max(0, row.graceUntil - now),
    });
    return page({ title: 'Theft', here: 'theft', session, main });
  }

  @Post(':id/call')
  @Redirect('/theft', HttpStatus.SEE_OTHER)
  async call(@Param('id') id: string): Promise<{ url: string }> {
    const theft = this.#find(id);
    await this.thefts.send(theft, 'GET', '/whoami');
    return { url: `${pathOf(theft)}#call` };
  }

  @Post(':id/rotate')
  @Redirect('/theft', HttpStatus.SEE_OTHER)
  async rotate(@Param('id') id: string): Promise<{ url: string }> {
    const theft = this.#find(id);
    await this.thefts.send(theft, 'POST', '/session/rotate');
    await this.thefts.send(theft, 'GET', '/whoami'); // a token counts once it has been used: until then its answer may be lost
    return { url: `${pathOf(theft)}#take` };
  }

  #find(id: string): Theft {
    const theft = this.thefts.find(id);
    if (theft === null) throw new NotFoundException();
    return theft;
  }
}

function pathOf({ id }: Theft): string {
  return `/theft/${id}`;
}
