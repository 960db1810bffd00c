"""A provider's wish for a pause is understood in all its spellings, and none of them lasts for ever."""

import time
from email.utils import formatdate

import pytest

from domain.llm.failure import from_status, retry_after


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after-ms": "inf"}, 3600),
        ({"retry-after": "31536000"}, 3600),
        ({"retry-after": "1e400"}, 3600),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 3600),
    ],
)
def test_the_wish_for_a_pause_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_date_is_so_many_seconds_from_now() -> None:
    asked = retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert asked is not None
    assert 50 < asked <= 60


@pytest.mark.parametrize(
    ("status", "types", "kind"),
    [
        (429, ("insufficient_quota",), "quota"),
        (429, (None, "rate_limit_error"), "rate"),
        (429, ("unheard_of",), "rate"),
        (429, ("invalid_request_error",), "rate"),
        (400, ("context_length_exceeded", "invalid_request_error"), "context_overflow"),
        (418, (), "bad_request"),
        (500, ("invalid_request_error",), "overload"),
        (599, (), "overload"),
        (204, (), "garbage"),
    ],
)
def test_what_the_body_says_refines_the_status_and_never_excuses_a_server(
    status: int, types: tuple[str | None, ...], kind: str
) -> None:
    assert getattr(from_status("near", status, "No.", {}, types=types), "kind", None) == kind
