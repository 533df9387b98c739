"""Exactly once: in each round many processes spend the same tickets, in overlapping sets and exchanges, at one moment."""

from __future__ import annotations

import random
import typing as t
from collections import Counter
from dataclasses import dataclass

from torture_app import ONCE, PRICES
from torture_spenders import Shot, Spenders, open_plain, read_answer
from torture_till import Blank, Coin, Till
from torture_verdict import Credential, Verdict, judge
from torture_world import World

from miner.payment.challenge import find_challenge
from miner.tokens import b64url, jcs, split

SPENDERS = 32
LEASE = 60
"""Seconds; no view takes that long, except where leases are to end under views that run."""
OVERDUE = 4
"""Of each hundred rounds, those at a site whose leases last one second and whose views take longer."""
_PATTERNS = ("one-ticket", "overlapping", "same-credential", "exchanges", "mixed", "mixed")
_HEADER = 7000


@dataclass
class Round:
    """What is fired at the site."""

    pattern: str
    coins: list[Coin]
    credentials: list[Credential]
    volleys: list[list[Shot]]


class Race:
    """The rounds of one batch, at one site."""

    def __init__(self, world: World, spenders: Spenders, seed: str) -> None:
        self.world = world
        self.spenders = spenders
        self.chance = random.Random(seed)
        self.till = Till(world.site, self.chance)
        self.seed = seed
        self.hands: list[Coin] = []
        """Every ticket that was received and not handed in."""
        self.overdue = False
        self._http = open_plain()
        self._effects_seen: set[str] = set()
        self._serial = 0
        self._echoes: dict[str, dict[str, str]] = {}

    def close(self) -> None:
        self._http.close()

    def round(self) -> tuple[Verdict, int]:
        """Play one round; return what it showed and the number of answers."""
        self._serial += 1
        plan = self._plan()
        self.spenders.fire(plan.volleys, f"{self.seed} {self._serial}")
        answers = self.spenders.answers()
        names = [coin.name for coin in plan.coins]
        effects = [effect for effect in self.world.effects() if effect[0] not in self._effects_seen]
        self._effects_seen.update(payment_id for payment_id, _ in effects)
        verdict = judge(
            plan.credentials, answers, self.world.spent_among(names), effects, orphans=self.overdue
        )
        self._sweep(plan, verdict)
        return verdict, len(answers) + 1

    def reconcile(self) -> list[str]:
        """Compare all that was received in this batch with the ledger: to the ticket."""
        books = self.world.books()
        problems = []
        mine = Counter(coin.key_id for coin in self.hands)
        gone = Counter(key_id for key_id, _ in books.spent)
        for key_id, issued in books.issued.items():
            if issued - gone[key_id] != mine[key_id]:
                problems.append(
                    f"key {key_id.hex()[:8]}: the ledger owes {issued - gone[key_id]} tickets, the clients hold {mine[key_id]}"
                )
        doubly = {coin.name for coin in self.hands} & books.spent
        if doubly:
            problems.append(f"{len(doubly)} tickets in the clients' hands are spent in the ledger")
        if books.held:
            problems.append(f"{len(books.held)} tickets are held by payments that never ended")
        return problems

    # Planning

    def _plan(self) -> Round:
        chance = self.chance
        pattern = chance.choice(_PATTERNS)
        number = 1 if pattern == "one-ticket" else chance.randint(2, 8)
        coins = [self.till.coin(chance.choice((1, 1, 2, 2, 4, 8))) for _ in range(number)]
        distinct = {"one-ticket": 12, "same-credential": 2}.get(pattern, chance.choice((4, 8, 12)))
        made_out: dict[str, tuple[Credential, dict[str, t.Any]]] = {}
        for _ in range(distinct):
            subset = chance.sample(coins, chance.randint(1, len(coins)))
            exchange = pattern == "exchanges" or (pattern != "same-credential" and chance.random() < 0.3)
            made, form = self._exchange(subset) if exchange else self._payment(subset)
            # Without change, the same tickets for the same challenge are the same credential.
            made_out.setdefault(form["body"], (made, form))
        credentials, forms = zip(*made_out.values(), strict=True)
        distinct = len(credentials)
        volleys = []
        for index in range(self.spenders.number):
            # Every credential is sent by somebody; who sends another one as well is left to chance.
            targets = [index % distinct] + ([chance.randrange(distinct)] if chance.random() < 0.25 else [])
            chance.shuffle(targets)
            volleys.append([self._shot(number, forms[number]) for number in targets])
        return Round(pattern, coins, list(credentials), volleys)

    def _shot(self, number: int, form: dict[str, t.Any]) -> Shot:
        chance = self.chance
        way = chance.choice(form["ways"])
        late = chance.random() < 0.3
        return Shot(
            number,
            way,
            form["url"],
            form.get("header"),
            form["body"],
            delay=chance.uniform(0, 0.03) if late else 0.0,
            copies=chance.choice((0, 0, 0, 0, 1, 2)),
            fresh=chance.random() < 0.2,
        )

    def _blanks(self, value: int) -> tuple[Blank, ...]:
        parts = split(value)
        if parts and parts[-1] > 1 and self.chance.random() < 0.3:
            half = parts.pop() // 2
            parts += [half, half]
        return tuple(self.till.blank(part) for part in parts)

    def _exchange(self, coins: list[Coin]) -> tuple[Credential, dict[str, t.Any]]:
        blanks = self._blanks(sum(coin.value for coin in coins))
        form = {
            "ways": ["exchange"],
            "url": f"{self.world.server.url}/",
            "body": jcs({"payload": _payload(coins, blanks)}).decode(),
        }
        return Credential(tuple(coins), 0, blanks, once=False), form

    def _payment(self, coins: list[Coin]) -> tuple[Credential, dict[str, t.Any]]:
        chance, value = self.chance, sum(coin.value for coin in coins)
        view = chance.choice([name for name, price in PRICES.items() if price <= value])
        if self.overdue:
            view = "slow"
        name = self._name(view)
        blanks = self._blanks(value - PRICES[view])
        members = {"challenge": self._echo(view, name), "payload": _payload(coins, blanks)}
        header = b64url(jcs(members))
        form = {
            "ways": ["redeem"],
            "url": f"{self.world.server.url}/{view}/{name}",
            "body": jcs(members).decode(),
        }
        if len(header) <= _HEADER and len(blanks) <= 3:
            form |= {"ways": ["header", "header", "header", "redeem"], "header": f"Payment {header}"}
        effect = name if view == "effect" else None
        return Credential(tuple(coins), PRICES[view], blanks, view in ONCE, effect), form

    def _name(self, view: str) -> str:
        if view == "slow":
            # Longer than the lease of a second: others take the tickets while the view runs.
            return f"{self.chance.choice((100, 1300) if self.overdue else (20, 60, 150))}-a"
        # One challenge may be answered by many credentials, or by one only.
        return "again" if self.chance.random() < 0.7 else f"n{self._serial}"

    def _echo(self, view: str, name: str) -> dict[str, str]:
        path = f"/{view}/{name}"
        if path not in self._echoes:
            reply = self._http.get(self.world.server.url + path, headers={"Accept": "*/*"})
            challenge = find_challenge(reply.headers.get_list("WWW-Authenticate"))
            if challenge is None:
                raise RuntimeError(f"{path} answers {reply.status_code} without a challenge")
            self._echoes[path] = dict(challenge.echo)
        return self._echoes[path]

    # Afterwards

    def _sweep(self, plan: Round, verdict: Verdict) -> None:
        """Exchange what nobody has won: a ticket that was lost or is stuck shows here."""
        taken = {coin.name for number in verdict.winners for coin in plan.credentials[number].coins}
        left = [coin for coin in plan.coins if coin.name not in taken]
        self.hands += verdict.received
        if not left:
            return
        blanks = tuple(self.till.blank(part) for part in split(sum(coin.value for coin in left)))
        body = jcs({"payload": _payload(left, blanks)})
        reply = self._http.post(
            f"{self.world.server.url}/ticketminer/redeem",
            content=body,
            headers={"Content-Type": "application/json"},
        )
        answer = read_answer(0, "exchange", reply)
        if not answer.granted:
            verdict.lose(len(left), f"{len(left)} tickets that nobody took cannot be spent: {answer.cause}")
            return
        coins = [blank.finish(signed) for blank, signed in zip(blanks, answer.change, strict=True)]
        self.hands += [coin for coin in coins if coin is not None]


def _payload(coins: t.Sequence[Coin], blanks: t.Sequence[Blank]) -> dict[str, t.Any]:
    return {"tickets": [coin.token for coin in coins], "outputs": [blank.member() for blank in blanks]}
