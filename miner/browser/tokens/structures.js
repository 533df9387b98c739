// Privacy Pass token type 0x0002 (RFC 9577 section 2, RFC 9578 section 6). What has a wrong size is a CodecError.

import { concat, sized, utf8 } from "../bytes.js";
import { CodecError } from "../errors.js";
import { sha256 } from "./hashes.js";

const TOKEN_SIZE = 354;
const TYPE = Uint8Array.of(0, 2);

/** 32 bytes. @param {Uint8Array} spki */
export const tokenKeyId = (spki) => sha256(spki);

/** 32 bytes: SHA-256 of the TokenChallenge that names the issuer and nothing else. @param {string} issuerName */
export async function challengeDigest(issuerName) {
  const issuer = utf8(issuerName);
  const { length } = issuer;
  if (!length || length > 65535) throw new CodecError("wrong-size", "An issuer's name is 1 to 65,535 bytes.");
  return sha256(concat(TYPE, Uint8Array.of(length >> 8, length & 255), issuer, new Uint8Array(3)));
}

/** The 98 bytes that are signed. @param {Uint8Array} nonce @param {Uint8Array} digest @param {Uint8Array} keyId */
export const tokenInput = (nonce, digest, keyId) =>
  concat(TYPE, sized(nonce, 32, "A nonce"), sized(digest, 32, "A challenge digest"), sized(keyId, 32, "A key id"));

/** @param {Uint8Array} input see tokenInput @param {Uint8Array} authenticator the signature, 256 bytes */
export const encodeToken = (input, authenticator) =>
  concat(sized(input, 98, "A token's input"), sized(authenticator, 256, "An authenticator"));

/** Copies of the parts; throws CodecError: wrong-size, wrong-token-type. @param {Uint8Array} token */
export function decodeToken(token) {
  sized(token, TOKEN_SIZE, "A token");
  if (token[0] || token[1] !== 2) throw new CodecError("wrong-token-type", "Only tokens of type 0x0002 are used here.");
  const [nonce, digest, keyId] = [token.slice(2, 34), token.slice(34, 66), token.slice(66, 98)];
  return { nonce, digest, keyId, authenticator: token.slice(98), input: token.slice(0, 98) };
}

/** 259 bytes. @param {Uint8Array} keyId 32 bytes @param {Uint8Array} blinded 256 bytes */
export const tokenRequest = (keyId, blinded) =>
  concat(TYPE, sized(keyId, 32, "A key id").slice(31), sized(blinded, 256, "A blinded message"));
