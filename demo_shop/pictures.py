"""What the shop sells, in the shop's own database."""

from __future__ import annotations

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The shop's tables; those of the tickets join their metadata."""


db = SQLAlchemy(model_class=Base)


class Picture(db.Model):  # type: ignore[name-defined, misc]  # Flask-SQLAlchemy makes Model at run time
    """A picture on sale. Its file is ``<name>.png`` among the originals; the price is in tickets."""

    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    story: Mapped[str]
    price: Mapped[int]


def hang() -> None:
    """Create the tables where they are missing, and hang the four pictures in an empty shop."""
    db.create_all()
    if db.session.scalar(db.select(db.func.count()).select_from(Picture)):
        return
    db.session.add_all(
        [
            Picture(
                name="first-light",
                title="First light",
                price=1,
                story="Seven ridges before breakfast. The mist was drawn from the back to the front, one thin sheet of "
                "ink at a time, until only the firs nearest to us stayed sharp.",
            ),
            Picture(
                name="estuary",
                title="Evening on the estuary",
                price=2,
                story="Ten minutes after the wind dropped. Three boats wait for the tide, and the sun lays a road across "
                "the water that reaches exactly to where you stand.",
            ),
            Picture(
                name="birches",
                title="Birches, October",
                price=3,
                story="The week when the wood gives back its light. Seven thousand leaves hang, fall and lie in five "
                "inks, and no two trunks are marked alike.",
            ),
            Picture(
                name="dunes",
                title="Night over the dunes",
                price=4,
                story="A full moon with a ring around it, and marram grass listening. The darkest inks of the press; "
                "best on a wall that gets no direct sun.",
            ),
        ]
    )
    db.session.commit()
