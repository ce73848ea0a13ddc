import fastifyCookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import { Controller, Get, Post, Query, Req } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import type { Parts } from './application.js';
import { dataOf, type ReadAnswer } from './fill.js';

interface BenchData {
  theme?: string;
  count?: number;
  cart?: object[];
}

function dataIn(request: FastifyRequest): BenchData {
  return request.session as BenchData;
}

@Controller()
class FastifySessionController {
  @Get('read')
  read(@Req() request: FastifyRequest): ReadAnswer {
    const { theme = 'light', cart = [] } = dataIn(request);
    return { theme, items: cart.length };
  }

  @Post('write')
  write(@Req() request: FastifyRequest): { count: number } {
    const data = dataIn(request);
    data.count = (data.count ?? 0) + 1;
    return { count: data.count };
  }

  @Post('login')
  async login(
    @Req() request: FastifyRequest,
    @Query('user') user: string,
    @Query('bytes') bytes: string,
  ): Promise<{ ok: boolean }> {
    await request.session.regenerate();
    Object.assign(request.session, { user, ...dataOf(Number(bytes)) });
    return { ok: true };
  }

  @Post('logout')
  async logout(@Req() request: FastifyRequest): Promise<{ ok: boolean }> {
    await request.session.destroy();
    return { ok: true };
  }
}

/** @fastify/session in memory: encrypts nothing, survives nothing. */
export function fastifyMemory(): Parts {
  return {
    controller: FastifySessionController,
    install: async (app) => {
      const fastify = app as NestFastifyApplication;
      await fastify.register(fastifyCookie);
      await fastify.register(fastifySession, {
        secret: 'a secret of the benchmark, 32 characters',
        saveUninitialized: false,
        cookie: { secure: false },
      });
    },
  };
}
