"""Write ``vectors/wallet.json``: what every wallet of ours must derive from the same words. Run by hand, once.

Without argument a new RSA key is drawn, whose private half is thrown away; the secrets depend on the public one only.
"""

from __future__ import annotations

import json
import pathlib

from cryptography.hazmat.primitives.asymmetric import rsa

from miner.service import TicketKey
from miner.tokens import Token, spki_from_public_key, token_key_id
from miner.wallet.outputs import derive
from miner.wallet.seed import site_seed, ticket_secrets, to_words

ISSUERS = ("shop.example", "köln.example", "localhost")
COUNTERS = (0, 1, 63, 2**32, 2**64 - 1)


def main() -> None:
    public = rsa.generate_private_key(65537, 2048).public_key()
    spki = spki_from_public_key(public)
    cases = []
    for i, issuer in enumerate(ISSUERS):
        master = bytes(range(i, i + 16))
        seed = site_seed(master, issuer)
        key = TicketKey(token_key_id(public), 1, 0, 1, 2, issuer, spki)
        tickets = []
        for counter in COUNTERS:
            secrets = ticket_secrets(seed, public, counter)
            tickets.append(
                {
                    "counter": str(counter),
                    "nonce": secrets.nonce.hex(),
                    "salt": secrets.salt.hex(),
                    "r": f"{secrets.r:0512x}",
                    "message": Token.input(secrets.nonce, key.challenge_digest, key.key_id).hex(),
                    "blinded_message": derive(seed, key, counter).blinded_message.hex(),
                }
            )
        cases.append(
            {
                "master": master.hex(),
                "words": to_words(master),
                "issuer_name": issuer,
                "site_seed": seed.hex(),
                "site_words": to_words(seed),
                "challenge_digest": key.challenge_digest.hex(),
                "tickets": tickets,
            }
        )
    document = {
        "source": "tests/make_wallet_vectors.py; docs/protocol.md, Secrets of a wallet",
        "spki": spki.hex(),
        "key_id": token_key_id(public).hex(),
        "cases": cases,
    }
    path = pathlib.Path(__file__).parent / "vectors" / "wallet.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
