"""Every exception class in one table: its parents, its text, its attributes, its exit code, and its way through pickle."""

import copy
import pickle

import pytest

from . import forms, module, rawchat

errors = module("protocol.errors")
feature_errors = module("protocol.feature_errors")
wire = module("protocol.wire")

# class, direct parents, exit code, retryable (None: the class has no such attribute)
TREE = [
    ("RawChatError", ("Exception",), 1, None),
    ("PayloadError", ("RawChatError", "ValueError"), 64, None),
    ("BudgetExceeded", ("RawChatError",), 73, None),
    ("UnknownPrice", ("RawChatError", "LookupError"), 65, None),
    ("CassetteMiss", ("RawChatError", "LookupError"), 66, None),
    ("NotInThisCopy", ("RawChatError", "ImportError"), 69, None),
    ("APIError", ("RawChatError",), 69, False),
    ("InvalidResponseError", ("APIError",), 76, False),
    ("SchemaMismatch", ("InvalidResponseError",), 76, False),
    ("LengthFinishReasonError", ("APIError",), 65, False),
    ("ContentFilterFinishReasonError", ("APIError",), 65, False),
    ("RefusalError", ("APIError",), 65, False),
    ("APIStatusError", ("APIError",), 69, False),
    ("BadRequestError", ("APIStatusError",), 65, False),
    ("AuthenticationError", ("APIStatusError",), 77, False),
    ("PermissionDeniedError", ("APIStatusError",), 77, False),
    ("NotFoundError", ("APIStatusError",), 66, False),
    ("ConflictError", ("APIStatusError",), 75, False),
    ("UnprocessableEntityError", ("APIStatusError",), 65, False),
    ("RateLimitError", ("APIStatusError",), 75, False),
    ("QuotaExceededError", ("RateLimitError",), 73, False),
    ("InternalServerError", ("APIStatusError",), 69, False),
    ("APIConnectionError", ("APIError", "ConnectionError"), 69, True),
    ("StreamInterrupted", ("APIConnectionError",), 74, True),
    ("APITimeoutError", ("APIConnectionError", "TimeoutError"), 75, True),
    ("DeadlineExceeded", ("APITimeoutError",), 75, False),
]
NAMES = [row[0] for row in TREE]
API_NAMES = [row[0] for row in TREE if row[3] is not None]
FACTS = {
    "status": 429,
    "code": "rate_limit_exceeded",
    "type": "tokens",
    "param": "model",
    "request_id": "req_1",
    "attempts": 3,
    "body": {"message": "slow", "nested": [1, {"two": None}]},
    "headers": {"Retry-After": "2"},
    "retry_after_s": 2.0,
    "hint": "Send less.",
    "reply": {"choices": []},
}


def kind(name):
    """The class of this name, in whichever of the two rooms."""
    return getattr(errors if hasattr(errors, name) else feature_errors, name)


@pytest.mark.parametrize("name, parents, exit_code, retryable", TREE, ids=NAMES)
def test_a_class_stands_where_the_drawing_has_it(name, parents, exit_code, retryable):
    """Parents as drawn, an exit code for the command line, a docstring or a parent's, and the same class in the face."""
    found = kind(name)
    assert tuple(parent.__name__ for parent in found.__bases__) == parents
    assert found.exit_code == exit_code
    assert getattr(found, "retryable", None) is retryable
    assert getattr(rawchat, name) is found


@forms.needs_modules
def test_the_table_is_whole():
    """No class of the modules is missing in the table, and every one is in the drawing."""
    values = [*vars(errors).values(), *vars(feature_errors).values()]
    classes = [value for value in values if isinstance(value, type) and issubclass(value, Exception)]
    assert {found.__name__ for found in classes} == {*NAMES, "UnknownPriceWarning"}
    assert [found.__name__ for found in classes if found.__name__ not in feature_errors.__doc__] == []
    assert issubclass(feature_errors.UnknownPriceWarning, UserWarning)


@pytest.mark.parametrize("name", NAMES)
def test_a_message_is_all_that_is_needed(name):
    """The text of a bare error is its message, also where OSError is among the parents."""
    made = kind(name)("it broke")
    assert str(made) == made.message == "it broke"
    assert made.args == ("it broke",)
    assert repr(made) == f"{name}('it broke')"
    assert getattr(made, "errno", None) is None


@pytest.mark.parametrize("name", API_NAMES)
def test_an_api_error_carries_every_fact(name):
    """Each attribute is kept as given; `status_code` is the SDK's name for `status`."""
    made = kind(name)("429 Too Many Requests: slow", **FACTS)
    assert {fact: getattr(made, fact) for fact in FACTS} == FACTS
    assert made.status_code == 429
    assert str(made) == "429 Too Many Requests: slow (request id req_1, 3 attempts)\n  hint: Send less."


@pytest.mark.parametrize("name", API_NAMES)
def test_what_is_not_known_is_none(name):
    """No attribute is ever missing."""
    made = kind(name)("x")
    values = {fact: getattr(made, fact) for fact in FACTS}
    assert values == {**dict.fromkeys(FACTS), "attempts": 0, "hint": ""}


TEXTS = [
    ("bare", {}, "x"),
    ("one attempt is not worth a word", {"attempts": 1}, "x"),
    ("two attempts", {"attempts": 2}, "x (2 attempts)"),
    ("request id", {"request_id": "r", "attempts": 1}, "x (request id r)"),
    ("both", {"request_id": "r", "attempts": 2}, "x (request id r, 2 attempts)"),
    ("hint", {"hint": "Do y."}, "x\n  hint: Do y."),
]


@pytest.mark.parametrize("name, facts, text", TEXTS, ids=[row[0] for row in TEXTS])
def test_the_text_says_what_identifies_the_case(name, facts, text):
    """Message, then request id and attempts, then the cure."""
    assert str(errors.APIError("x", **facts)) == text


OWN = [
    ("PayloadError", {"path": "messages[2].content[0]"}),
    ("BudgetExceeded", {"budget_usd": 1.0, "spent_usd": 0.9, "needed_usd": 0.2}),
    ("UnknownPrice", {"model": "gpt-x"}),
    ("NotInThisCopy", {"feature": "parse"}),
]


@pytest.mark.parametrize("name, facts", OWN, ids=[row[0] for row in OWN])
def test_other_errors_carry_their_own_facts(name, facts):
    """Kept as given, and empty where not."""
    made = kind(name)("x", **facts)
    assert {fact: getattr(made, fact) for fact in facts} == facts
    assert not any(getattr(kind(name)("x"), fact) for fact in facts)


def test_a_fact_that_a_kind_does_not_know_is_refused():
    """A misspelled name is a mistake in the program, as it is for any call."""
    with pytest.raises(TypeError, match="RateLimitError has no 'retry_after'"):
        errors.RateLimitError("x", retry_after=2.0)
    with pytest.raises(TypeError, match="PayloadError has no 'status'"):
        errors.PayloadError("x", status=400)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", NAMES)
def test_an_error_crosses_to_another_process(name, protocol):
    """Pickled and copied errors have the same class, text and attributes, those set later included."""
    made = kind(name)("x", **(FACTS if name in API_NAMES else {}))
    if name in API_NAMES:
        made.retryable = True
        made.headers = wire.Headers({"Retry-After": "2"})
    if hasattr(made, "phase"):
        made.phase = "body"
    for twin in (pickle.loads(pickle.dumps(made, protocol)), copy.copy(made), copy.deepcopy(made)):
        assert type(twin) is type(made)
        assert str(twin) == str(made)
        assert twin.args == made.args
        ours, theirs = dict(vars(made)), dict(vars(twin))
        if name in API_NAMES:
            assert theirs.pop("headers").pairs == ours.pop("headers").pairs
        assert theirs == ours


CATCHES = [
    ("a timeout is a TimeoutError", "APITimeoutError", TimeoutError),
    ("a deadline is a TimeoutError", "DeadlineExceeded", TimeoutError),
    ("a broken stream is a ConnectionError", "StreamInterrupted", ConnectionError),
    ("a timeout is an OSError, as in the standard library", "APITimeoutError", OSError),
    ("a bad payload is a ValueError", "PayloadError", ValueError),
    ("a spent quota is a rate limit to old code", "QuotaExceededError", errors.RateLimitError),
    ("a timeout is a connection error to old code", "APITimeoutError", errors.APIConnectionError),
    ("a 200 that is none is an APIError", "InvalidResponseError", errors.APIError),
]


@pytest.mark.parametrize("name, made, caught", CATCHES, ids=[row[0] for row in CATCHES])
def test_old_except_clauses_still_catch(name, made, caught):
    """Names are the SDK's, and the standard library's classes stand among the parents."""
    with pytest.raises(caught) as found:
        raise kind(made)("x")
    assert type(found.value).__name__ == made


NOT_CAUGHT = [
    ("a status is no connection error", "InternalServerError", errors.APIConnectionError),
    ("a 200 that is none has no error status", "InvalidResponseError", errors.APIStatusError),
    ("a budget is no API error", "BudgetExceeded", errors.APIError),
    ("a broken connection is no timeout", "APIConnectionError", TimeoutError),
]


@pytest.mark.parametrize("name, made, other", NOT_CAUGHT, ids=[row[0] for row in NOT_CAUGHT])
def test_clauses_for_other_things_do_not_catch(name, made, other):
    """Kinds that need different reactions stay apart."""
    assert not isinstance(kind(made)("x"), other)
