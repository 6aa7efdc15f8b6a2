"""The tables of this project. `Watch` refers to one of oddsschema's."""

from sqlalchemy import ForeignKey, MetaData
from sqlmodel import Field, Relationship, SQLModel

import oddsschema
from oddsschema import CompetitorEvent

metadata = MetaData(naming_convention=oddsschema.metadata.naming_convention)


class Base(SQLModel):
    """What all tables of this project have in common: where they are."""

    metadata = metadata


class Account(Base, table=True):
    """Somebody who watches events."""

    __tablename__ = "accounts"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=100, unique=True)

    watches: list["Watch"] = Relationship(back_populates="account")


class Watch(Base, table=True):
    """An event whose odds somebody wants to hear of when they reach a price."""

    __tablename__ = "watches"

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="accounts.id", ondelete="CASCADE")
    # A name ("competitor_events.id") would be looked for among this project's tables.
    competitor_event_id: int = Field(
        sa_column_args=[ForeignKey(CompetitorEvent.id, ondelete="CASCADE")], index=True
    )
    outcome: str
    odds: float

    account: Account = Relationship(back_populates="watches")
    event: CompetitorEvent = Relationship()
