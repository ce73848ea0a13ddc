import { type ArgumentsHost, Catch, HttpException, HttpStatus, Logger } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import type { Request, Response } from 'express';
import { AuthenticationRequiredException, CrossSiteRequestException, sessionOf } from 'nest-sessions';
import { Endings, UNKNOWN_ENDING } from '../account/endings.js';
import { confirmPath, guardedAction } from '../account/guarded-action.js';
import { localPath, signInPath } from '../account/return-to.js';
import { endedSession } from '../account/tell-ending.guard.js';
import { page } from '../html/page.js';
import { errorPage } from './error.page.js';

/**
 * Answers browsers with pages: 401 leads to the sign-in page and back, or to the one that asks for a fresh sign-in;
 * everything else says what to do.
 */
@Catch()
export class PageErrorFilter extends BaseExceptionFilter {
  readonly #logger = new Logger('Pages');

  constructor(private readonly endings: Endings) {
    super();
  }

  override catch(exception: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    if (response.headersSent || !request.accepts('html')) return super.catch(exception, host);

    const status: HttpStatus = exception instanceof HttpException ? exception.getStatus() : 500;
    if (status === HttpStatus.INTERNAL_SERVER_ERROR) this.#logger.error(exception);
    if (needsRecentSignIn(exception))
      return response.redirect(HttpStatus.SEE_OTHER, confirmPath(guardedAction(request.originalUrl)));
    if (status === HttpStatus.UNAUTHORIZED) return void this.#askToSignIn(request, response); // never rejects
    const error = exception instanceof CrossSiteRequestException ? 'cross-site' : status;
    const retryPath = request.method === 'GET' ? request.originalUrl : '/';
    const { title, main } = errorPage({ status, error, retryPath });
    // What went wrong may be the session itself: only these pages have nothing to fear of it.
    const session = IN_ORDER.has(status) ? sessionOf(request) : null;
    response.status(status).send(page({ title, main, session }));
  }

  async #askToSignIn(request: Request, response: Response): Promise<void> {
    const session = sessionOf(request);
    // Signed in and yet 401: the session ended while the request was under way, and cannot carry a message any more.
    if (session && !session.isAuthenticated) session.flash('notice', await this.#whyToSignIn(request));
    const returnTo = request.method === 'GET' ? localPath(request.originalUrl) : '/';
    response.redirect(HttpStatus.SEE_OTHER, signInPath(returnTo));
  }

  async #whyToSignIn(request: Request): Promise<string> {
    const ended = endedSession(request);
    if (ended === null) return 'Please sign in to go on.';
    return (await this.endings.tell(ended)) ?? UNKNOWN_ENDING;
  }
}

/** Errors with which sessions are in order. */
const IN_ORDER: ReadonlySet<HttpStatus> = new Set([HttpStatus.BAD_REQUEST, HttpStatus.NOT_FOUND]);

function needsRecentSignIn(exception: unknown): boolean {
  return (
    exception instanceof AuthenticationRequiredException && exception.code === 'reauthentication_required'
  );
}
