"""The attempts of a migration: each has a connection, and follows a transient error."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.database.backends import LostBackends
from oddsschema.database.connections import sqlalchemy_connect, was_standby
from oddsschema.database.durations import require_not_negative
from oddsschema.database.retry import as_package_error, driver_errors, is_transient, retrying
from oddsschema.database.targets import Target, is_connection
from oddsschema.database.time_limits import LONG_ANSWER_WITHIN
from oddsschema.errors import ReadOnlyDatabaseError

_Result = TypeVar("_Result")


async def repeated(
    target: Target,
    work: Callable[[AsyncConnection], Awaitable[_Result]],
    retry_for: timedelta,
    answer_within: timedelta = LONG_ANSWER_WITHIN,
) -> _Result:
    """Run `work(connection)`; repeat it after transient errors for `retry_for`.

    On a connection of the caller's, it is not repeated. Raises DatabaseUnavailableError and
    TransactionError in place of the driver's errors.
    """
    require_not_negative(retry_for=retry_for)
    if is_connection(target):
        async with sqlalchemy_connect(target) as connection:
            return await work(connection)
    lost = LostBackends()
    async for attempt in retrying(is_transient, retry_for):
        with attempt:
            try:
                async with sqlalchemy_connect(
                    target, answer_within=answer_within, lost=lost
                ) as connection:
                    try:
                        return await work(connection)
                    except ReadOnlyDatabaseError as error:
                        raise await _with_recovery(error, connection) from error
            except (DBAPIError, *driver_errors()) as error:
                failure = as_package_error(error)
                if failure is None:
                    raise
                raise failure from error
    raise AssertionError("tenacity returns or raises")


async def _with_recovery(
    error: ReadOnlyDatabaseError, connection: AsyncConnection
) -> ReadOnlyDatabaseError:
    """Find out whether the server is a standby: no failover ends a read-only setting."""
    await connection.rollback()
    driver_connection = (await connection.get_raw_connection()).driver_connection
    return replace(error, is_standby=await was_standby(driver_connection))
