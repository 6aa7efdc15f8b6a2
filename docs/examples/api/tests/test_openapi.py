import schemathesis
from hypothesis import HealthCheck, settings
from odds_api.app import app
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

schema = schemathesis.openapi.from_dict(app.openapi())
schema.config.phases.coverage.enabled = False


@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_answers(case: schemathesis.Case, url: str) -> None:
    """Every response is documented in OpenAPI and is not a server error."""
    # JSON Schema cannot express that names differ or that numbers may be text like "1e2".
    inexpressible = [negative_data_rejection, positive_data_acceptance]
    case.call_and_validate(base_url=url, excluded_checks=inexpressible)


def test_valid() -> None:
    """The OpenAPI document is valid."""
    schema.validate()
