import { GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { ApolloDriver } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { UserId } from 'nest-sessions';
import { codesOf, onEachDriver, openSignedIn } from '../../behaviour/graphql/support/open-graphql.js';
import { openGraphqlSocket, OVER_SOCKETS } from '../../behaviour/graphql/support/graphql-socket.js';
import { upgrade } from '../../support/sockets.js';

@Resolver()
class Who {
  @Query(() => String, { nullable: true })
  who(@UserId() userId: string): string {
    return userId;
  }
}

const protocols = ['graphql-transport-ws'];

onEachDriver('sockets at a path of the app', (open, driver) => {
  it('are guarded behind a global prefix', async () => {
    const { port, ada } = await openSignedIn(open, {
      resolvers: [Who],
      graphql: { ...OVER_SOCKETS[driver], path: 'graph', useGlobalPrefix: true },
      prepare: (app) => app.setGlobalPrefix('api'),
    });
    const cookie = `__Host-sid=${(await ada.cookie()) ?? ''}`;
    const headers = { origin: 'https://evil.test' };
    expect((await upgrade(port, '/api/graph', { cookie, headers, protocols })).status).toBe(403);
    const socket = openGraphqlSocket(port, { cookie: () => cookie, path: '/api/graph' });
    expect(await socket.ask('{ who }')).toEqual({ data: { who: 'ada' } });
  });

  it('are guarded at each of two', async () => {
    if (driver === 'Mercurius') return; // registers once in an app
    @Module({ providers: [Who] })
    class AdminModule {}
    const admin = GraphQLModule.forRoot({
      driver: ApolloDriver,
      autoSchemaFile: true,
      path: '/admin',
      include: [AdminModule],
      ...OVER_SOCKETS[driver],
    });
    const { port, ada } = await openSignedIn(open, {
      resolvers: [Who],
      graphql: { ...OVER_SOCKETS[driver], path: '/other' },
      imports: [AdminModule, admin],
    });
    const cookie = `__Host-sid=${(await ada.cookie()) ?? ''}`;
    for (const path of ['/other', '/admin']) {
      const headers = { origin: 'https://evil.test' };
      expect((await upgrade(port, path, { cookie, headers, protocols })).status).toBe(403);
      const socket = openGraphqlSocket(port, { cookie: () => cookie, path });
      expect(await socket.ask('{ who }')).toEqual({ data: { who: 'ada' } });
      const anonymous = openGraphqlSocket(port, { path });
      expect(codesOf(await anonymous.ask('{ who }'))).toEqual({ who: 'authentication_required' });
    }
  });
});
