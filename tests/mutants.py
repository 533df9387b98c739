"""Safety lines and the tests that must notice when one of them breaks; ``make mutants`` prints the table.

Each entry breaks one line as a hurried change might. See ``mutation.py`` for what counts as caught.
"""

from __future__ import annotations

import pathlib
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from mutation import Mutant, NotCaught, catch, check_unbroken

SITE = "flask_ticketminer/"

MUTANTS = (
    # The ledger
    Mutant(
        "a ticket is spent once: the primary key",
        SITE + "tables.py",
        'spent=table("spent", ("key_id", "nonce"), _binary("key_id", 32), _binary("nonce", 32), rowid=False)',
        'spent=table("spent", (), _binary("key_id", 32), _binary("nonce", 32))',
        ("test_ledger.py::test_one_ticket_in_32_threads_is_spent_once",),
    ),
    Mutant(
        "a ticket is spent once: the plain insert",
        SITE + "mint/statements.py",
        "insert(tables.spent)",
        'insert(tables.spent).prefix_with("OR IGNORE")',
        ("test_ledger.py::test_a_spent_ticket_is_refused_and_named",),
    ),
    Mutant(
        "a blinded message is signed once",
        SITE + "mint/statements.py",
        "insert(tables.issued)",
        'insert(tables.issued).prefix_with("OR IGNORE")',
        ("test_ledger.py::test_an_output_signed_before_does_not_use_the_share_up",),
    ),
    Mutant(
        "a share is paid once: the primary key",
        SITE + "tables.py",
        '            ("share_id",),',
        '            ("share_id", "request_digest"),',
        ("test_ledger.py::test_a_share_with_another_request_is_a_duplicate",),
    ),
    Mutant(
        "settling compares the fence",
        SITE + "mint/statements.py",
        'payment.c.fence == bindparam("at_fence"),',
        'payment.c.fence <= bindparam("at_fence") + 9,',
        ("test_ledger.py::test_after_the_lease_the_same_credential_takes_over_and_the_zombie_cannot_settle",),
    ),
    Mutant(
        "settling compares the state",
        SITE + "mint/statements.py",
        'payment.c.state == bindparam("at_state"),',
        'payment.c.state != "x" + bindparam("at_state"),',
        (
            "test_ledger.py::test_settling_twice_tells_that_it_is_settled",
            "test_retirement.py::test_overdue_reservations_are_released",
        ),
    ),
    Mutant(
        "using a pass compares the fence",
        SITE + "mint/ledger.py",
        "payment.c.payment_id == payment_id, payment.c.fence == fence, payment.c.state == state",
        "payment.c.payment_id == payment_id, payment.c.state == state",
        ("test_ledger.py::test_a_pass_use_that_crashed_is_taken_over_after_its_lease",),
    ),
    Mutant(
        "using a pass compares the state",
        SITE + "mint/ledger.py",
        "payment.c.payment_id == payment_id, payment.c.fence == fence, payment.c.state == state",
        "payment.c.payment_id == payment_id, payment.c.fence == fence",
        ("test_rules_storage.py::test_a_pass_that_was_given_back_is_not_used_up_after_all",),
    ),
    Mutant(
        "a released payment compares its fence",
        SITE + "mint/holdings.py",
        "and_(payment.c.state.in_((RESERVED, LAPSED)), payment.c.fence == fence)",
        "payment.c.state.in_((RESERVED, LAPSED))",
        ("test_ledger.py::test_after_the_lease_the_same_credential_takes_over_and_the_zombie_cannot_settle",),
    ),
    Mutant(
        "a payment that failed stays over",
        SITE + "mint/ledger.py",
        "if stored.state == FAILED:",
        "if False:",
        ("test_ledger.py::test_a_payment_that_failed_is_over_for_late_copies_of_its_request",),
    ),
    Mutant(
        "one ticket twice in a request",
        SITE + "mint/ledger.py",
        "if len({(token.key_id, token.nonce) for token in tokens}) != len(tokens):",
        "if False:",
        ("test_bad_input.py::test_one_ticket_twice_in_a_request_is_refused",),
    ),
    Mutant(
        "a ticket's signature is verified",
        SITE + "mint/ledger.py",
        "if not self._keys.verify(key, token):",
        "if False:",
        ("test_holes_of_2016.py::test_anothers_ticket_cannot_be_marked_as_spent",),
    ),
    Mutant(
        "a ticket of another site's name is foreign",
        SITE + "mint/ledger.py",
        "if token.challenge_digest != key.challenge_digest:",
        "if False:",
        ("test_bad_input.py::test_a_ticket_bound_to_another_site_is_refused",),
    ),
    Mutant(
        "a ticket expires",
        SITE + "mint/keys.py",
        "return now >= self.redeem_until",
        "return False",
        ("test_bad_input.py::test_an_expired_ticket_is_refused",),
    ),
    Mutant(
        "inputs = price + change",
        SITE + "mint/denominations.py",
        "if given != price + wanted:",
        "if given > price + wanted:",
        ("test_bad_input.py::test_value_cannot_be_made_by_an_exchange",),
    ),
    Mutant(
        "the audit compares",
        SITE + "mint/audit.py",
        "return self.found <= self.expected if self.at_most else self.found == self.expected",
        "return self.found <= self.expected or self.at_most",
        (
            "test_audit.py::test_more_spent_than_issued_is_found",
            "test_audit.py::test_a_forgotten_spent_row_is_found",
        ),
    ),
    Mutant(
        "change is unknown until its payment is settled",
        SITE + "mint/restore.py",
        "~exists().where(held.c.key_id == issued.c.key_id, held.c.blinded_hash == issued.c.blinded_hash),",
        "",
        ("test_ledger.py::test_change_is_unknown_to_restore_until_the_payment_is_settled",),
    ),
    Mutant(
        "nothing is pruned after a clock jump",
        SITE + "mint/retirement.py",
        "if force or last is None or last - BACKWARD <= now <= last + FORWARD:",
        "if force or last is None or last - BACKWARD <= now:",
        ("test_retirement.py::test_a_clock_jump_stops_pruning",),
    ),
    # Keys and signatures
    Mutant(
        "a faulty RSA result is not answered",
        SITE + "mint/signer.py",
        'if gmpy2.powmod(int.from_bytes(signature, "big"), self._e, self._n) != message:',
        "if False:",
        (
            "test_signer.py::test_a_faulty_result_is_not_answered",
            "test_holes_of_2016.py::test_the_signing_key_cannot_be_recovered_from_a_faulty_signature",
        ),
    ),
    Mutant(
        "the base is blinded",
        SITE + "mint/signer.py",
        "r = gmpy2.mpz(secrets.randbelow(int(self._n) - 2) + 2)",
        "r = gmpy2.mpz(1)",
        ("test_rules_tickets.py::test_the_fallback_blinds_what_it_computes_on",),
    ),
    Mutant(
        "a key signs nothing after its end",
        SITE + "mint/keys.py",
        "return self.starts <= now < self.signs_until",
        "return self.starts <= now",
        ("test_keys.py::test_a_key_signs_only_in_its_time",),
    ),
    Mutant(
        "the last bytes of key ids differ",
        SITE + "tables.py",
        'unique("key_last_byte", "last_byte"),',
        "",
        ("test_rules_tickets.py::test_the_database_refuses_a_key_that_could_be_taken_for_another",),
    ),
    # Tokens with a MAC
    Mutant(
        "the MAC of a challenge",
        SITE + "challenge.py",
        "if not secrets.mac_matches(_PURPOSE, _slots(parameters), tag):",
        "if False:",
        ("test_bad_input.py::test_an_altered_challenge_is_refused",),
    ),
    Mutant(
        "the MAC of a job",
        SITE + "work/job.py",
        "serializer.loads(token)",
        "serializer.loads_unsafe(token)[1]",
        ("test_bad_input.py::test_a_forged_job_is_refused",),
    ),
    Mutant(
        "the MAC of a pass",
        SITE + "passes.py",
        "serializer.loads(token)",
        "serializer.loads_unsafe(token)[1]",
        ("test_rules_tickets.py::test_a_pass_that_was_altered_is_not_a_pass",),
    ),
    Mutant(
        "a pass ends",
        SITE + "passes.py",
        "if found is not None and found.area == area and (found.expires is None or now < found.expires):",
        "if found is not None and found.area == area:",
        ("test_gate.py::test_a_pass_opens_the_same_page_for_its_time",),
    ),
    # Requests
    Mutant(
        "the price is the server's",
        SITE + "payments.py",
        "if sale.price != challenge.amount:",
        "if False:",
        ("test_rules_http.py::test_a_price_that_changed_is_asked_for_anew",),
    ),
    Mutant(
        "a challenge expires",
        SITE + "payments.py",
        "if site.clock.now() >= challenge.expires:",
        "if False:",
        ("test_bad_input.py::test_an_expired_challenge_is_refused",),
    ),
    Mutant(
        "a payment is bound to its request",
        SITE + "payments.py",
        "if challenge.binding == binding.digest:",
        "if challenge.binding:",
        (
            "test_bad_input.py::test_a_challenge_of_another_route_is_refused",
            "test_bad_input.py::test_a_challenge_for_another_body_is_refused",
        ),
    ),
    Mutant(
        "the replay of a payment is looked up",
        SITE + "payments.py",
        "stored = site.ledger.find_payment(credential.payment_id)",
        "stored = None",
        (
            "test_rules_http.py::test_a_repeat_is_answered_when_everything_else_has_ended",
            "test_gate.py::test_a_credential_of_a_lasting_payment_can_be_repeated",
        ),
    ),
    Mutant(
        "the replay of a share is looked up",
        SITE + "blueprints/submit.py",
        "paid = site.ledger.find_share(share_id, request_digest)",
        "paid = None",
        ("test_bad_input.py::test_the_same_share_again_gets_the_same_signature",),
    ),
    Mutant(
        "a body has a limit",
        SITE + "blueprints/__init__.py",
        "request.max_content_length = site.settings.max_body",
        "request.max_content_length = None",
        ("test_bad_input.py::test_a_body_over_the_limit_is_refused",),
    ),
    Mutant(
        "a share meets its target",
        SITE + "work/judgement.py",
        "if digest is None or digest > target:",
        "if digest is None:",
        ("test_bad_input.py::test_a_share_that_misses_its_target_is_refused",),
    ),
    Mutant(
        "a share is marked before it is sent",
        SITE + "work/outbox.py",
        ".values(state=SENDING, fence=fence, changed=self._clock.now())",
        ".values(fence=fence)",
        ("test_outbox.py::test_a_share_is_marked_before_it_is_sent_and_then_has_a_fate",),
    ),
    Mutant(
        "a bridge writes under its own lease",
        SITE + "work/upstreams.py",
        "ours = and_(self._row.c.coin == self.coin, self._row.c.fence == self.fence)",
        "ours = and_(self._row.c.coin == self.coin)",
        ("test_outbox.py::test_a_bridge_that_was_away_for_too_long_changes_nothing",),
    ),
    Mutant(
        "a number is leased once",
        SITE + "work/templates.py",
        ".values(next_counter=end)",
        ".values(next_counter=first)",
        ("test_outbox.py::test_a_number_is_leased_once_whichever_process_asks",),
    ),
    Mutant(
        "voided work ends after the grace time",
        SITE + "work/templates.py",
        "if voided is None or (voided and self._clock.now() > voided + GRACE):",
        "if voided is None:",
        ("test_outbox.py::test_voided_work_is_paid_for_the_grace_time",),
    ),
    Mutant(
        "no consent, no job",
        SITE + "blueprints/job.py",
        '_check_consent(site, members["consent"])',
        "pass",
        ("test_bad_input.py::test_a_job_needs_consent",),
    ),
    Mutant(
        "tickets do not travel in the clear",
        SITE + "transport.py",
        "if request.is_secure or settings.allow_http or is_local_name(host) or is_onion(host):",
        "if True:",
        ("test_bad_input.py::test_plain_http_from_afar_is_refused",),
    ),
    Mutant(
        "a gate above its route is found out",
        SITE + "extension.py",
        "if gate_found is None and view in gated_functions:",
        "if False:",
        ("test_ways_to_gate.py::test_a_gate_above_its_route_is_found_out",),
    ),
    Mutant(
        "a gated answer is private",
        SITE + "paywall.py",
        "if not request.environ.get(_GATED):",
        "if True:",
        ("test_gate.py::test_every_gated_answer_is_private",),
    ),
    # The wallet
    Mutant(
        "the counter advances before anything is sent",
        "miner/wallet/outputs.py",
        "advance(connection, seed, key, counter + 1)",
        "pass",
        ("test_wallet.py::test_counters_are_never_used_twice",),
    ),
    Mutant(
        "a signature is verified before a ticket counts",
        "miner/tokens/blind.py",
        "public_key.verify(signature, message, _pss(padding.PSS.AUTO)",
        "(lambda *_: None)(signature, message, _pss(padding.PSS.AUTO)",
        ("test_client.py::test_a_false_signature_is_not_a_ticket",),
    ),
    Mutant(
        "the origin is checked before paying",
        "miner/payment/register.py",
        "if origin_of(url) != self.origin:",
        "if False:",
        ("test_prepared_payments.py::test_another_sites_address_is_not_paid",),
    ),
    Mutant(
        "only the recipient's own tickets pay",
        "miner/payment/register.py",
        "if challenge.recipient not in issued:",
        "if False:",
        ("test_payment_bounds.py::test_a_known_site_cannot_ask_in_another_sites_name",),
    ),
    Mutant(
        "the budget is kept",
        "miner/payment/register.py",
        "self.budget.take(challenge.amount)",
        "pass",
        ("test_payment.py::test_the_budget_is_for_all_requests_together",),
    ),
)


def main() -> int:
    """Try the mutants, print which test caught each, and return the exit code: 0 when all were caught.

    Words on the command line choose those whose names contain one of them.
    """
    chosen = [mutant for mutant in MUTANTS if any(word in mutant.name for word in sys.argv[1:] or [""])]
    if not chosen:
        names = "\n  ".join(mutant.name for mutant in MUTANTS)
        print(
            f"no mutant has any of these words in its name: {' '.join(sys.argv[1:])}\n  {names}",
            file=sys.stderr,
        )
        return 2
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    survived = 0
    try:
        print(f"{check_unbroken(tests)} tests pass on the unbroken program")
    except NotCaught as error:
        print(error, file=sys.stderr)
        return 2

    def attempt(mutant: Mutant) -> str | NotCaught:
        try:
            return catch(mutant)
        except NotCaught as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        for mutant, outcome in zip(chosen, pool.map(attempt, chosen), strict=True):
            survived += isinstance(outcome, NotCaught)
            print(f"{mutant.name:52} {'SURVIVED' if isinstance(outcome, NotCaught) else outcome}", flush=True)
            if isinstance(outcome, NotCaught):
                print(outcome, file=sys.stderr)
    print(f"{len(chosen) - survived} of {len(chosen)} mutants caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
