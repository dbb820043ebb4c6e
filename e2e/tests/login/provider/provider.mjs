// A real OpenID provider (npm's oidc-provider) under a test's control: it logs in whom the test names, without asking, and
// listens on a free port that it prints. What a test tells it goes to `/control/…`.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';

// It warns of what a test wants: memory for everything, and the node of the distribution.
console.warn = () => {};
console.info = () => {};
const { default: Provider } = await import('oidc-provider');

const APP = 'http://app.test';
const state = { gate: undefined, mood: 'well', held: [], granted: {}, refused: {}, grants: new Set() };

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' };

const client = (id, more) => ({
  client_id: id,
  client_secret: 'the secret: of 100% & more',
  redirect_uris: [`${APP}/app/callback`, 'http://localhost/app/callback'],
  post_logout_redirect_uris: [`${APP}/app/public/bye`],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  id_token_signed_response_alg: 'ES256',
  backchannel_logout_uri: `${APP}/app/logout/provider`,
  backchannel_logout_session_required: true,
  ...more,
});

const accounts = {
  alice: { email: 'alice@example.com', name: 'Alice', groups: ['staff', 'admins'] },
  bob: { email: 'bob@example.com', name: 'Bob', groups: [] },
  long: { email: 'long@example.com', name: 'l'.repeat(6000), groups: [] },
  endless: { email: 'endless@example.com', name: 'e'.repeat(20000), groups: [] },
};

const provider = new Provider(issuer, {
  clients: [
    client('basic', {}),
    client('post', { token_endpoint_auth_method: 'client_secret_post' }),
    client('public', { token_endpoint_auth_method: 'none', client_secret: undefined }),
    // Its access tokens end soon.
    client('brief', {}),
  ],
  jwks: { keys: [key] },
  cookies: { keys: ['a key of a test'] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email'], groups: ['groups'] },
  scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
  conformIdTokenClaims: false,
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  ttl: {
    AccessToken: (_ctx, _token, known) => (known.clientId === 'brief' ? 4 : 3600),
    IdToken: 3600,
    RefreshToken: 3600,
    Session: 3600,
    Interaction: 600,
    Grant: 3600,
  },
  issueRefreshToken: async (_ctx, known) => known.clientId === 'brief',
  rotateRefreshToken: true,
  findAccount: async (_ctx, id) => accounts[id] && { accountId: id, claims: async () => ({ sub: id, ...accounts[id] }) },
  loadExistingGrant: async (ctx) => {
    const { oidc } = ctx;
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid profile email groups offline_access');
    await grant.save();
    state.grants.add(grant.jti);
    return grant;
  },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  // It tells gateways of logouts at an address that only the test knows, and that is on this machine.
  fetch: (url, { dispatcher: _, ...options }) => {
    state.told = String(options.body);
    return fetch(String(url).replace(APP, `http://${state.gate}`), options);
  },
});

const count = (table) => (ctx) => {
  const kind = ctx.oidc?.params?.grant_type ?? 'unknown';
  table[kind] = (table[kind] ?? 0) + 1;
};
provider.on('grant.success', count(state.granted));
provider.on('grant.error', (ctx, error) => {
  count(state.refused)(ctx);
  console.error('grant.error', error.message, error.error_description ?? '');
});
for (const event of ['server_error', 'authorization.error', 'backchannel.error', 'end_session.error']) {
  provider.on(event, (...told) => console.error(event, ...told.slice(1).map((error) => `${error?.message ?? ''} ${error?.cause ?? ''}`)));
}

const control = {
  gate: (url) => { state.gate = url.searchParams.get('address'); },
  mood: (url) => {
    state.mood = url.searchParams.get('is');
    state.held.splice(0).forEach((serve) => serve());
  },
  revoke: async () => {
    for (const id of state.grants) {
      await provider.RefreshToken.revokeByGrantId(id);
    }
  },
  counts: () => ({ granted: state.granted, refused: state.refused }),
  told: () => ({ form: state.told }),
};

async function interact(request, response) {
  if (request.headers['x-deny']) {
    const denied = { error: 'access_denied', error_description: '<script>alert(1)</script>' };
    await provider.interactionFinished(request, response, denied, { mergeWithLastSubmission: false });
    return;
  }
  const login = { accountId: request.headers['x-user'] ?? 'alice' };
  await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
}

const serve = provider.callback();
server.on('request', async (request, response) => {
  const url = new URL(request.url, issuer);
  try {
    if (url.pathname.startsWith('/control/')) {
      const told = await control[url.pathname.slice('/control/'.length)](url);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(told ?? {}));
    } else if (state.mood === 'hanging') {
      state.held.push(() => serve(request, response));
    } else if (state.mood === 'ill') {
      response.statusCode = 503;
      response.end('out of order');
    } else if (url.pathname.startsWith('/interaction/')) {
      await interact(request, response);
    } else {
      serve(request, response);
    }
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end(String(error));
  }
});
console.log(issuer);
