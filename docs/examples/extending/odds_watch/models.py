"""The tables of this project. `Watch` has a foreign key to a table of oddsschema."""

from sqlalchemy import ForeignKey, MetaData
from sqlmodel import Field, Relationship, SQLModel

import oddsschema
from oddsschema import CompetitorEvent

metadata = MetaData(naming_convention=oddsschema.metadata.naming_convention)


class Base(SQLModel):
    """The base of this project's tables: their MetaData."""

    metadata = metadata


class Account(Base, table=True):
    """A person who watches events."""

    __tablename__ = "accounts"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=100, unique=True)

    watches: list["Watch"] = Relationship(back_populates="account")


class Watch(Base, table=True):
    """A price of an event's outcome that triggers an alert to an account."""

    __tablename__ = "watches"

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="accounts.id", ondelete="CASCADE")
    # SQLAlchemy looks up a name ("competitor_events.id") among this project's tables.
    competitor_event_id: int = Field(
        sa_column_args=[ForeignKey(CompetitorEvent.id, ondelete="CASCADE")], index=True
    )
    outcome: str
    odds: float

    account: Account = Relationship(back_populates="watches")
    event: CompetitorEvent = Relationship()
