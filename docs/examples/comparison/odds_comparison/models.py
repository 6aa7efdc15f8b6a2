"""The tables of this application: a side table in the place of columns in oddsschema's `events`."""

from sqlalchemy import ForeignKey, MetaData
from sqlmodel import Field, SQLModel

import oddsschema
from oddsschema import Event

metadata = MetaData(naming_convention=oddsschema.metadata.naming_convention)


class Base(SQLModel):
    """The base of this application's tables: their MetaData."""

    metadata = metadata


class FollowedEvent(Base, table=True):
    """An event that people follow: it is scraped before the others."""

    __tablename__ = "followed_events"

    # A prune deletes events that are over. Without CASCADE, this row would keep its event.
    event_id: int = Field(
        primary_key=True,
        sa_column_args=[ForeignKey(Event.id, ondelete="CASCADE")],
        sa_column_kwargs={"autoincrement": False},
    )
    note: str = Field(default="", max_length=200)
