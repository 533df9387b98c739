"""A site with one gated page, as an installed wheel must serve it; .ci/run starts this in an empty environment."""

from flask import Flask

from flask_ticketminer import TicketMiner, ticket_required
from flask_ticketminer.testing import TicketClient

app = Flask(__name__)
app.config.update(TESTING=True, SECRET_KEY="only for this test", TICKETMINER_DATABASE_URI="sqlite://")
TicketMiner(app)


@app.get("/report")
@ticket_required(price=3)
def report() -> str:
    return "<h1>The report</h1>"


assert app.test_client().get("/report").status_code == 402
assert b"3 tickets" in app.test_client().get("/report", headers={"Accept": "text/html"}).data
assert TicketClient(app, tickets=3).get("/report").status_code == 200
print("402 without tickets, 200 with them")
