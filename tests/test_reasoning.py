"""Reasoning models against the practice server: what they take, what they cost, and what the errors say."""

import pytest

from . import rawchat

MODEL = "gpt-5-mini"
PRICE = (0.25, 2.0)  # US dollars per million tokens, as published for it


@pytest.fixture
def client(practice):
    with rawchat.Client("", practice.url, cost_tracker=rawchat.CostTracker(), max_retries=0) as made:
        yield made


def reasoning_of(reply):
    return reply.usage.completion_tokens_details.reasoning_tokens


@pytest.mark.parametrize("way", ["chat", "stream"])
@pytest.mark.parametrize("model, effort, tokens", [(MODEL, "minimal", 0), (MODEL, "low", 64), (MODEL, "high", 448), ("gpt-6-sol", "max", 1984), ("o4-mini", "medium", 192), (MODEL, None, 192)])  # fmt: skip
def test_the_effort_is_sent_and_its_tokens_are_counted(client, way, model, effort, tokens):
    """Reasoning is a part of the completion, in usage, in the cost and in the tracker; None leaves the default."""
    options = {"model": model, "reasoning_effort": effort}
    reply = client.chat("Hi", **options) if way == "chat" else client.stream("Hi", **options).read()
    usage = reply.usage

    assert reasoning_of(reply) == tokens
    assert usage.completion_tokens > tokens
    price = rawchat.Price(*PRICE) if model == MODEL else None
    if price is not None:
        expected = (usage.prompt_tokens * PRICE[0] + usage.completion_tokens * PRICE[1]) / 1e6
        assert reply.cost == pytest.approx(expected) == pytest.approx(rawchat.cost_of(usage, price))
    (row,) = client.cost_tracker.per_model()
    assert (row.reasoning_tokens, row.output_tokens) == (tokens, usage.completion_tokens)
    assert row.cost_usd == pytest.approx(reply.cost)
    assert (f"Reasoning tokens: {tokens:,}" in client.cost_tracker.report()) == (tokens > 0)


def test_the_effort_is_not_for_other_models(client):
    """The API refuses it, in its words."""
    with pytest.raises(rawchat.BadRequestError, match="reasoning_effort") as caught:
        client.chat("Hi", reasoning_effort="low")
    assert "leave out the one that the message names" in caught.value.hint


def test_max_completion_tokens_bounds_thinking_and_text(client):
    """A limit that the thinking uses up leaves no text: finish_reason says so."""
    reply = client.chat("Hi", model=MODEL, max_completion_tokens=50)
    assert (reply.finish_reason, reply.text, reasoning_of(reply)) == ("length", "", 50)
    roomy = client.chat("Hi", model=MODEL, max_completion_tokens=2000)
    assert roomy.finish_reason == "stop" and roomy.text


def test_a_budget_reserves_for_the_limit(practice):
    """max_completion_tokens is what such a call may cost at most."""
    tracker = rawchat.CostTracker(budget_usd=0.001)
    with rawchat.Client("", practice.url, cost_tracker=tracker) as client:
        with pytest.raises(rawchat.BudgetExceeded):
            client.chat("Hi", model=MODEL, max_completion_tokens=1000)
        assert client.chat("Hi", model=MODEL, max_completion_tokens=400).text
    assert len(practice.requests) == 1


def test_the_developer_role_is_taken(client):
    """It is what the system message became, and goes out as it is."""
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert client.chat(messages, model=MODEL).text


REFUSED = [
    ("max_tokens", {"max_tokens": 100}, "unsupported_parameter", "send max_completion_tokens in place of max_tokens"),
    ("temperature", {"temperature": 0.2}, "unsupported_value", "leave it out"),
    ("top_p", {"top_p": 0.5}, "unsupported_parameter", "leave it out"),
    ("presence_penalty", {"presence_penalty": 1}, "unsupported_parameter", "leave it out"),
    ("logprobs", {"logprobs": True}, "unsupported_parameter", "leave it out"),
]


@pytest.mark.parametrize("way", ["chat", "stream"])
@pytest.mark.parametrize("name, options, code, cure", REFUSED, ids=[row[0] for row in REFUSED])
def test_what_such_models_refuse_is_told_with_the_cure(client, way, name, options, code, cure):
    """The API's own 400, never tried again, and below it what to do."""
    with pytest.raises(rawchat.BadRequestError) as caught:
        getattr(client, way)("Hi", model=MODEL, **options)
    error = caught.value

    assert (error.status, error.param, error.code, error.attempts) == (400, name, code, 1)
    assert cure in str(error).splitlines()[-1]
    assert client.cost_tracker.call_count == 0


def test_the_default_temperature_is_no_mistake(client):
    """1 is what they think at anyway."""
    assert client.chat("Hi", model=MODEL, temperature=1).text


def test_structured_answers_think_first(client):
    """parse() with a limit that the thinking uses up says where the tokens went."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert client.parse("Tell me.", schema, model=MODEL, reasoning_effort="low").parsed["a"]
    with pytest.raises(rawchat.LengthFinishReasonError, match="60 of them for reasoning"):
        client.parse("Tell me.", schema, model=MODEL, reasoning_effort="low", max_completion_tokens=60)
