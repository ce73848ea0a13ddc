import {
  Body,
  Controller,
  Get,
  Post,
  Query,
  ValidationPipe,
  type ValidationPipeOptions,
} from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { IsInt, IsString } from 'class-validator';
import { Session, UserId } from 'nest-sessions';
import { onEachPlatform } from '../support/open-app.js';
import { BASICS, refusal } from '../support/session-routes.js';

declare module 'nest-sessions' {
  interface SessionData {
    note?: Note;
  }
}

class Note {
  @IsString()
  text!: string;
}

class Page {
  @IsInt()
  number!: number;
}

@Controller('validated')
class ValidatedController {
  @Post('theme')
  theme(@Body() note: Note, @Session() session: Session): object {
    session.set('note', note);
    return { isNew: session.isNew, userId: session.userId, note: session.data.note };
  }

  @Get('note')
  note(@Session('note') note: Note | undefined): object {
    return { note: note ?? null };
  }

  @Get('strict')
  strict(@Session('note') note: Note): object {
    return { text: note.text };
  }

  @Get('user')
  user(@UserId() userId: string, @Session() session: Session): object {
    return { userId, same: session.userId === userId };
  }

  @Get('page')
  page(@Session() session: Session, @Query() page: Page): object {
    return { number: page.number, isNew: session.isNew };
  }
}

class Inherited extends ValidatedController {}
Controller('inherited')(Inherited);

/** What an app may have told the pipe. */
const PIPES: ValidationPipeOptions[] = [
  {},
  { transform: true },
  { whitelist: true },
  { transform: true, whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true },
];

describe.each(PIPES)('with a ValidationPipe that validates custom decorators, and %j', (options) => {
  const setup = {
    controllers: [ValidatedController, Inherited],
    routes: BASICS,
    providers: [
      { provide: APP_PIPE, useValue: new ValidationPipe({ ...options, validateCustomDecorators: true }) },
    ],
  };

  onEachPlatform('@Session()', (open) => {
    it.each(['validated', 'inherited'])('is the session, in a controller that is %s', async (path) => {
      const { browser } = await open(setup);
      const ada = browser();
      await ada.post('/do/in');
      const reply = await ada.post(`/${path}/theme`, { text: 'dark' });
      expect(reply.json()).toEqual({ isNew: false, userId: 'ada', note: { text: 'dark' } });
      expect((await ada.get('/do/data')).json()).toEqual({ note: { text: 'dark' } });
    });

    it('with a key is the value, of its class', async () => {
      const { browser } = await open(setup);
      const ada = browser();
      await ada.post('/do/set', { note: { text: 'dark' } });
      expect((await ada.get('/validated/note')).json()).toEqual({ note: { text: 'dark' } });
      expect((await ada.get('/validated/strict')).json()).toEqual({ text: 'dark' });
    });

    it('with a key is validated, as the app asks for', async () => {
      const { browser } = await open(setup);
      const ada = browser();
      await ada.post('/do/set', { note: { text: 7 } });
      expect((await ada.get('/validated/strict')).status).toBe(400);
    });

    it('leaves the validation of other parameters alone', async () => {
      const { browser } = await open(setup);
      expect((await browser().get('/validated/page?number=x')).status).toBe(400);
      expect((await browser().post('/validated/theme', { text: 7 })).status).toBe(400);
    });
  });

  onEachPlatform('@UserId()', (open) => {
    it('is the id', async () => {
      const { browser } = await open(setup);
      const ada = browser();
      expect(refusal(await ada.get('/validated/user')).status).toBe(401);
      await ada.post('/do/in');
      expect((await ada.get('/validated/user')).json()).toEqual({ userId: 'ada', same: true });
    });
  });
});

describe('a parameter of a class of the app', () => {
  it('keeps its class for pipes', () => {
    const typesOf = (method: string) =>
      Reflect.getMetadata('design:paramtypes', ValidatedController.prototype, method) as unknown[];
    expect(typesOf('theme')).toEqual([Note, Object]);
    expect(typesOf('strict')).toEqual([Note]);
    expect(typesOf('user')).toEqual([String, Object]);
    expect(typesOf('page')).toEqual([Object, Page]);
  });
});
