// Privacy Pass token type 0x0002 (RFC 9577 section 2, RFC 9578 section 6). Byte strings in, byte strings out.

import { concat, sized, utf8 } from "../bytes.js";
import { CodecError } from "../errors.js";
import { sha256 } from "./hashes.js";

export const TOKEN_SIZE = 354;
const TYPE = Uint8Array.of(0, 2);

/** 32 bytes: SHA-256 of the RSASSA-PSS SubjectPublicKeyInfo. @param {Uint8Array} spki */
export const tokenKeyId = (spki) => sha256(spki);

/**
 * 32 bytes: SHA-256 of the TokenChallenge of an issuer, with neither redemption context nor origin.
 * @param {string} issuerName 1 to 65,535 bytes of UTF-8
 */
export async function challengeDigest(issuerName) {
  const issuer = utf8(issuerName);
  if (!issuer.length || issuer.length > 0xffff) {
    throw new CodecError("wrong-size", "A token challenge needs an issuer name; names are at most 65,535 bytes.");
  }
  return sha256(concat(TYPE, Uint8Array.of(issuer.length >> 8, issuer.length & 255), issuer, new Uint8Array(3)));
}

/**
 * The 98 bytes that the authenticator signs: type (2) | nonce (32) | challenge digest (32) | key id (32).
 * @param {Uint8Array} nonce @param {Uint8Array} digest @param {Uint8Array} keyId
 */
export const tokenInput = (nonce, digest, keyId) =>
  concat(TYPE, sized(nonce, 32, "A nonce"), sized(digest, 32, "A challenge digest"), sized(keyId, 32, "A key id"));

/** The token, 354 bytes. @param {Uint8Array} input see tokenInput @param {Uint8Array} authenticator 256 bytes */
export const encodeToken = (input, authenticator) =>
  concat(sized(input, 98, "A token's input"), sized(authenticator, 256, "An authenticator"));

/** Copies of a token's parts; `input` is what was signed. Throws CodecError: wrong-size, wrong-token-type. @param {Uint8Array} token */
export function decodeToken(token) {
  sized(token, TOKEN_SIZE, "A token");
  if (token[0] !== TYPE[0] || token[1] !== TYPE[1]) {
    throw new CodecError("wrong-token-type", "Only token type 0x0002 (blind RSA, 2048 bits) is used here.");
  }
  return {
    nonce: token.slice(2, 34),
    digest: token.slice(34, 66),
    keyId: token.slice(66, 98),
    authenticator: token.slice(98),
    input: token.slice(0, 98),
  };
}

/** 259 bytes: type (2) | last byte of the key id (1) | blinded message (256). @param {Uint8Array} keyId @param {Uint8Array} blinded */
export const tokenRequest = (keyId, blinded) =>
  concat(TYPE, sized(keyId, 32, "A key id").slice(31), sized(blinded, 256, "A blinded message"));
