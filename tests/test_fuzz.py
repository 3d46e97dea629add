"""Nothing a client sends breaks it: requests made from our own OpenAPI document, right ones and wrong ones."""

import contextlib
import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi import from_wsgi
from schemathesis.specs.openapi import checks as openapi

from models import User

# Derandomized: the same requests on every run, so that a change breaks a test and never chance.
HOW = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# Off: positive_data_acceptance. A schema cannot say which ids exist, which time zones and sorts there are, that an
# end comes after its start, or that a text holds no NUL: such a request follows the document and is 400.
CHECKS = [
    not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
]


def checks_for(case):
    """Whether what violates the document must be refused, too: of a JSON body it must.

    Not of a query, where unknown parameters and empty values are ignored, `page=1&page=2` is the last of them, and
    `a,b` or `all` stand for several; nor of a form, whose empty fields count as absent.
    """
    wrong = {place for place, part in case.meta.components.items() if part.mode == GenerationMode.NEGATIVE}
    strict = wrong == {ParameterLocation.BODY} and case.media_type == "application/json" and not forgiven(case.body)
    return [*CHECKS, openapi.negative_data_rejection] if strict else CHECKS


def forgiven(value):
    """Whether a body has spaces around a text, which are dropped before it is measured, or "3" for an id."""
    if isinstance(value, (dict, list)):
        return any(map(forgiven, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and (value != value.strip() or value.isdecimal())


@pytest.fixture
def how(amount):
    """How hard each operation is tried. By hand, long and hard: FUZZ_EXAMPLES=300 pytest tests/test_fuzz.py"""
    return settings(HOW, max_examples=int(os.environ.get("FUZZ_EXAMPLES") or amount(3, 40)))


@pytest.mark.thorough
@pytest.mark.filterwarnings("default")  # of schemathesis, where a parameter cannot be made wrong
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_made_from_our_own_document_breaks_a_promise_of_it(app, log_in, how, mode):
    schema = from_wsgi("/openapi.json", app)
    schema.config.generation.with_security_parameters = False  # tokens are test_auth's business; here one always fits
    operations = [found.ok() for found in schema.get_all_operations()]
    sent, headers = [], {}

    def become_root():
        headers["Authorization"] = f"Bearer {log_in(User.get_by_id(1)).tokens['access_token']}"

    become_root()
    for operation in sorted(operations, key=lambda each: "delete" in each.label.lower()):  # rows must be there first

        @how
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            if mode == GenerationMode.POSITIVE:  # ids that exist: a row is found and what comes after is reached
                ids = case.path_parameters
                ids |= {name: value % 40 + 1 for name, value in ids.items() if isinstance(value, int)}
            reply = case.call(headers=headers)
            if reply.status_code == 401:  # logged out, or a password set
                become_root()
                reply = case.call(headers=headers)
            sent.append(reply.status_code)
            case.validate_response(reply, checks=checks_for(case))

        with contextlib.suppress(Unsatisfiable):  # it takes nothing that could be wrong
            check()
    assert len(sent) > 250 and sent.count(200) > 10, "hardly anything was tried"
    print({status: sent.count(status) for status in sorted(set(sent))})
