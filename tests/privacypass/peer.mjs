// Speaks for @cloudflare/privacypass-ts: one JSON command a line in, one JSON answer a line out; bytes are base64url.
import { createInterface } from 'node:readline';
import { Token, TokenChallenge, TOKEN_TYPES, publicVerif } from '@cloudflare/privacypass-ts';

const { BlindRSAMode, Client, Issuer, Origin, TokenRequest, convertRSASSAPSSToEnc, getPublicKeyBytes } = publicVerif;
const TYPE = TOKEN_TYPES.BLIND_RSA;

// Some of the package's parsers read the whole underlying buffer, so each value gets one of its own.
const bytes = (text) => Uint8Array.from(Buffer.from(text, 'base64url'));
const text = (value) => Buffer.from(value).toString('base64url');
const usable = (format, key, use) => crypto.subtle.importKey(format, key, TYPE.rsaParams, true, [use]);
const publicKey = (key) => usable('spki', convertRSASSAPSSToEnc(bytes(key)), 'verify');

const client = new Client(BlindRSAMode.PSS);

const commands = {
  suite: () => TYPE.suite[BlindRSAMode.PSS]().toString(),

  // The key as the package writes it itself, and its id.
  async key({ key }) {
    const spki = await getPublicKeyBytes(await publicKey(key));
    return { key: text(spki), id: text(await crypto.subtle.digest('SHA-256', spki)) };
  },

  challenge({ challenge }) {
    const { tokenType, issuerName, redemptionContext, originInfo } = TokenChallenge.deserialize(bytes(challenge));
    const again = new TokenChallenge(tokenType, issuerName, redemptionContext, originInfo);
    return { tokenType, issuerName, context: text(redemptionContext), originInfo, bytes: text(again.serialize()) };
  },

  async request({ challenge, key }) {
    const request = await client.createTokenRequest(TokenChallenge.deserialize(bytes(challenge)), bytes(key));
    return text(request.serialize());
  },

  async finalize({ response }) {
    const token = await client.finalize(client.deserializeTokenResponse(bytes(response)));
    return text(token.serialize());
  },

  async verify({ token, key }) {
    return new Origin(BlindRSAMode.PSS).verify(Token.deserialize(TYPE, bytes(token)), await publicKey(key));
  },

  async issue({ request, privateKey, key }) {
    const signing = await usable('pkcs8', bytes(privateKey), 'sign');
    const issuer = new Issuer(BlindRSAMode.PSS, 'shop.example', signing, await publicKey(key));
    return text((await issuer.issue(TokenRequest.deserialize(TYPE, bytes(request)))).serialize());
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...parameters } = JSON.parse(line);
  let answer;
  try {
    answer = { result: await commands[command](parameters) };
  } catch (error) {
    answer = { error: `${error.name}: ${error.message}` };
  }
  console.log(JSON.stringify(answer));
}
