"""A site with one gated page and default work, as an installed package must serve it, and a ticket mined there by the command line.

`python smoke.py native|pure`: says whether kernels should be there. scripts/packages.py runs it in empty environments.
"""

import pathlib
import subprocess
import sys
import tempfile
import threading

from flask import Flask
from werkzeug.serving import make_server

from flask_ticketminer import TicketMiner, ticket_required
from flask_ticketminer.testing import TicketClient
from miner.pow import ALGORITHMS

EXPECTED = {"native": "yespower", "pure": "scrypt"}[sys.argv[1]]
"""What work is made of."""

app = Flask(__name__)
app.config.update(
    TESTING=True,
    SECRET_KEY="only for this test",
    TICKETMINER_DATABASE_URI="sqlite://",
    TICKETMINER_EFFORT={EXPECTED: 64},
)
TicketMiner(app)


@app.get("/report")
@ticket_required(price=3)
def report() -> str:
    return "<h1>The report</h1>"


assert app.test_client().get("/report").status_code == 402
assert b"3 tickets" in app.test_client().get("/report", headers={"Accept": "text/html"}).data
assert TicketClient(app, tickets=3).get("/report").status_code == 200
print("402 without tickets, 200 with them")

for name, algorithm in ALGORITHMS.items():
    print(f"{name}: {', '.join(algorithm.implementations)}")
assert app.config["TICKETMINER_ALGORITHM"] == EXPECTED
assert ("portable" in ALGORITHMS["sha256d"].implementations) == (sys.argv[1] == "native")

server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as folder:
    ticketminer = pathlib.Path(sys.executable).with_name("ticketminer")
    wallet = ["--wallet", f"{folder}/wallet.sqlite"]
    site = f"http://127.0.0.1:{server.port}"
    subprocess.run([ticketminer, "mine", *wallet, "--yes", "--tickets", "1", site], check=True)
    balance = subprocess.run(
        [ticketminer, "wallet", *wallet], check=True, capture_output=True, text=True
    ).stdout
    print(balance.strip())
    assert "good until" in balance
server.shutdown()
