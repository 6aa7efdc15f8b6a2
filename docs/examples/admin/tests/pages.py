"""The pages of an admin framework, read and submitted as by a browser without JavaScript."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from typing import Any, ClassVar, Self

import httpx
from bs4 import BeautifulSoup
from odds_admin import with_sqladmin, with_starlette_admin
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from oddsschema import Table


class Pages:
    """The pages of all tables."""

    #: The status of a page with a refused form.
    refused: ClassVar[int]

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    @classmethod
    def application(cls, engine: AsyncEngine | Engine) -> Starlette:
        """Build the application."""
        raise NotImplementedError

    @classmethod
    @asynccontextmanager
    async def opened(cls, engine: AsyncEngine | Engine) -> AsyncIterator[Self]:
        """Open the pages."""
        transport = httpx.ASGITransport(cls.application(engine))
        async with httpx.AsyncClient(transport=transport, base_url="http://odds/admin") as client:
            yield cls(client)

    def key(self, table: type[Table]) -> str:
        """Return the name of a table in URLs."""
        name = table.__name__
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).strip("-")

    def list_url(self, table: type[Table]) -> str:
        """Return the URL of the list."""
        return f"/{self.key(table)}/list"

    def details_url(self, table: type[Table], identity: int | str) -> str:
        """Return the URL of a row."""
        raise NotImplementedError

    def edit_url(self, table: type[Table], identity: int | str) -> str:
        """Return the URL of the form for a row."""
        raise NotImplementedError

    def create_url(self, table: type[Table]) -> str:
        """Return the URL of the form for a new row."""
        return f"/{self.key(table)}/create"

    async def get(self, url: str) -> str:
        """Return a page."""
        response = await self.client.get(url)
        assert response.status_code == 200, (url, response.text[-3000:])
        return response.text

    async def form(self, url: str) -> dict[str, Any]:
        """Return the values of a form as a browser would submit them."""
        values = submission(BeautifulSoup(await self.get(url), "html.parser").find("form"))
        return {name: self.picked(value) for name, value in values.items()}

    async def values(self, url: str) -> dict[str, Any]:
        """Return the values of a form for another form: each form has a token of its own."""
        form = await self.form(url)
        return {name: value for name, value in form.items() if name != "csrftoken"}

    def picked(self, value: Any) -> Any:
        """Write a time as the picker does; leave other values."""
        raise NotImplementedError

    async def choices(self, table: type[Table], field: str, term: str) -> str:
        """Return the HTML of the related rows that a field of a form offers for a term."""
        raise NotImplementedError

    async def delete(self, table: type[Table], identity: int) -> str:
        """Delete a row; return the message if it is refused."""
        raise NotImplementedError

    async def submit(self, url: str, changes: dict[str, Any]) -> dict[str, str]:
        """Fill in a form and submit it; return the errors that it then shows at its fields.

        None leaves a field out, as a browser does with a box that is not checked.
        """
        values = {**await self.form(url), **changes}
        sent = {name: value for name, value in values.items() if value is not None}
        response = await self.client.post(url, data=sent)
        if response.status_code in (302, 303):
            return {}
        assert response.status_code == self.refused, (response.status_code, response.text[-3000:])
        errors = self.errors(response.text)
        assert errors, response.text[-3000:]
        return errors

    def errors(self, page: str) -> dict[str, str]:
        """Return the errors at the fields of a form."""
        soup = BeautifulSoup(page, "html.parser")
        errors = {}
        for shown in soup.find_all(class_="invalid-feedback"):
            group = shown.find_parent(class_="form-group") or shown.find_parent(class_="mb-3")
            errors[group.find(attrs={"name": True})["name"]] = shown.get_text(strip=True)
        return errors


class SQLAdminPages(Pages):
    """SQLAdmin's pages."""

    refused = 400

    @classmethod
    def application(cls, engine: AsyncEngine | Engine) -> Starlette:
        """Build the application."""
        return with_sqladmin.application(engine)

    def details_url(self, table: type[Table], identity: int | str) -> str:
        """Return the URL of a row."""
        return f"/{self.key(table)}/details/{identity}"

    def picked(self, value: Any) -> Any:
        """Write a time without a leading zero of the seconds; leave other values."""
        return re.sub(r"^(.{10} \d\d:\d\d:)0(\d)$", r"\1\2", value) if is_text(value) else value

    async def choices(self, table: type[Table], field: str, term: str) -> str:
        """Return the related rows: the script shows their names as text."""
        url = f"/{self.key(table)}/ajax/lookup?name={field}&term={term}"
        (choice,) = json.loads(await self.get(url))["results"]
        return escape(choice["text"])

    async def delete(self, table: type[Table], identity: int) -> str:
        """Delete a row; return the message if it is refused."""
        response = await self.client.delete(f"/{self.key(table)}/delete?pks={identity}")
        assert response.status_code == 200, response.text
        return httpx.URL(response.text).params.get("error", "")

    def edit_url(self, table: type[Table], identity: int | str) -> str:
        """Return the URL of the form for a row."""
        return f"/{self.key(table)}/edit/{identity}"


class StarletteAdminPages(Pages):
    """starlette-admin's pages."""

    refused = 422

    @classmethod
    def application(cls, engine: AsyncEngine | Engine) -> Starlette:
        """Build the application."""
        return with_starlette_admin.application(engine, "a secret of the tests alone")

    def details_url(self, table: type[Table], identity: int | str) -> str:
        """Return the URL of a row."""
        return f"/{self.key(table)}/detail?pk={identity}"

    def picked(self, value: Any) -> Any:
        """Write a time without fractions of seconds; leave other values."""
        return re.sub(r"^(.{10}T.{8})\.\d+$", r"\1", value) if is_text(value) else value

    async def choices(self, table: type[Table], field: str, term: str) -> str:
        """Return the HTML of the related rows."""
        page = BeautifulSoup(await self.get(self.create_url(table)), "html.parser")
        url = page.find(attrs={"name": field})["data-url"]
        (choice,) = json.loads(await self.get(f"{url}?q={term}"))["items"]
        return str(choice["_meta"]["select2"])

    async def delete(self, table: type[Table], identity: int) -> str:
        """Delete a row; return the message if it is refused."""
        await self.get(self.list_url(table))
        response = await self.client.post(
            f"/_api/{self.key(table)}/row-action?name=delete&pk={identity}",
            headers={"X-CSRFToken": self.client.cookies["starlette_admin_csrftoken"]},
        )
        return "" if response.status_code == 200 else str(response.json()["msg"])

    def edit_url(self, table: type[Table], identity: int | str) -> str:
        """Return the URL of the form for a row."""
        return f"/{self.key(table)}/edit?pk={identity}"


def is_text(value: Any) -> bool:
    """Check whether a value of a form is text: it may be a list, or missing."""
    return isinstance(value, str)


def submission(form: Any) -> dict[str, Any]:
    """Return the values of a form as a browser would submit them."""
    values: dict[str, Any] = {}
    for field in form.find_all(["input", "select", "textarea"]):
        name = field.get("name")
        if not name or field.get("type") in ("submit", "file"):
            continue
        if field.name == "textarea":
            values[name] = field.get_text().removeprefix("\n").replace("\n", "\r\n")
        elif field.name == "select":
            values[name] = selected(field)
        elif field.get("type") in ("checkbox", "radio"):
            if field.has_attr("checked"):
                values[name] = field.get("value", "on")
        else:
            values[name] = field.get("value", "")
    return values


def selected(select: Any) -> Any:
    """Return the value of a select: the script fills those with many options from an attribute."""
    filled = select.get("data-json") or select.get("data-initial")
    if filled:
        chosen = [
            str(each["id"] if isinstance(each, dict) else each) for each in json.loads(filled)
        ]
    else:
        options = select.find_all("option")
        chosen = [value_of(each) for each in options if each.has_attr("selected")]
        if not chosen and not select.has_attr("multiple") and is_plain(select):
            chosen = [value_of(each) for each in options[:1]]
    if select.has_attr("multiple"):
        return chosen
    return chosen[0] if chosen else None


def value_of(option: Any) -> str:
    """Return the value of an option."""
    return str(option.get("value", option.get_text(strip=True)))


def is_plain(select: Any) -> bool:
    """Check whether a select has its options without a script."""
    return not select.get("data-role") and not select.get("data-url")
