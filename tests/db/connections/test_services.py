"""The URLs of hosting services, with a server in the place of each service's."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.tls_server import PASSWORD, TLSServer
from tests.unit.database.test_url_page import rows

Run = Callable[..., Any]

TAKEN = [url for url, answer in rows() if answer == "taken"]


@pytest.mark.parametrize("url", TAKEN)
def test_parameters_of_services(url: str, secured: TLSServer, run: Run) -> None:
    """The parameters of a service's URL reach a server, which encrypts as they ask."""
    query = re.sub(r"\b(host|ssl\w*cert|sslkey)=[^&]*&?", "", url.partition("?")[2])
    there = f"postgresql://ann:{PASSWORD}@localhost/ann?hostaddr={secured.address}&{query}"
    there += f"&sslrootcert={secured.directory}/root.crt"
    answer = run(secured.answer(re.sub("&+", "&", there), {}))
    assert answer["role"] == "ann"
    assert answer["tls"] is ("sslmode=disable" not in url)
