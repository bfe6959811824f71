"""Conversations get shorter, and no tool call loses its answers."""

import random

import pytest

from . import module

history = module("protocol.history")
errors = module("protocol.errors")
format_messages, groups_of = history.format_messages, history.groups_of
trim_messages, last_messages = history.trim_messages, history.last_messages


def conversation(pattern):
    """Messages from one word each: `s` system, `d` developer, `u` user, `a` assistant, `c2` with two calls, `t` tool.

    Each message's content is its place, so that a result can be told as places.
    """
    roles = {
        "s": "system",
        "d": "developer",
        "u": "user",
        "a": "assistant",
        "c": "assistant",
        "t": "tool",
        "f": "function",
    }
    messages, call = [], 0
    for place, word in enumerate(pattern.split()):
        message = {"role": roles[word[0]], "content": str(place)}
        if word[0] == "c":
            ids = range(call, call + int(word[1:]))
            message["tool_calls"] = [
                {"id": f"call_{i}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in ids
            ]
            waiting = list(ids)
            call += int(word[1:])
        if word == "t":
            message["tool_call_id"] = f"call_{waiting.pop(0)}" if call else "call_gone"
        messages.append(message)
    return messages


def places(messages):
    return [int(message["content"]) for message in messages]


def one_each(messages, model):
    """A count that can be done by eye: one token a message, nothing around them."""
    return len(messages)


# ---- format_messages

FORMATTED = [
    ("both", "Be brief.", "Hi", {}, [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]),
    ("no system message", None, "Hi", {}, [{"role": "user", "content": "Hi"}]),
    ("an empty one is one", "", "Hi", {}, [{"role": "system", "content": ""}, {"role": "user", "content": "Hi"}]),
    ("for a reasoning model", "Be brief.", "Hi", {"system_role": "developer"}, [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]),
    ("parts", None, [{"type": "text", "text": "Hi"}], {}, [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]),
    ("parts from anywhere", None, iter([{"type": "text", "text": "Hi"}]), {}, [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]),
]  # fmt: skip


@pytest.mark.parametrize(
    "system, user, options, expected", [row[1:] for row in FORMATTED], ids=[row[0] for row in FORMATTED]
)
def test_a_system_and_a_user_message(system, user, options, expected):
    """The list that a first call sends."""
    assert format_messages(system, user, **options) == expected


def test_the_callers_parts_are_not_shared():
    """What is appended to the message later does not reach the caller's list."""
    parts = [{"type": "text", "text": "Hi"}]
    format_messages(None, parts)[0]["content"].append("more")
    assert len(parts) == 1


UNFORMATTED = [
    ("no question", "Be brief.", None, "user must be a text or a list of parts, got None"),
    ("a whole message", None, {"role": "user", "content": "Hi"}, "user must be a text or a list of parts, got dict"),
    ("bytes", None, b"Hi", r"user must be .* got bytes; for a text, value.decode\(\)"),
    ("a system message that is a list", ["Be brief."], "Hi", "system must be a text or None, got list"),
]


@pytest.mark.parametrize(
    "system, user, expected", [row[1:] for row in UNFORMATTED], ids=[row[0] for row in UNFORMATTED]
)
def test_what_makes_no_message_is_refused(system, user, expected):
    """Before the server has to."""
    with pytest.raises(errors.PayloadError, match=expected):
        format_messages(system, user)


# ---- groups_of

GROUPS = [
    ("nothing", "", []),
    ("each its own", "s u a u", [[0], [1], [2], [3]]),
    ("calls with their answers", "u c2 t t a", [[0], [1, 2, 3], [4]]),
    ("one round after another", "u c1 t c1 t a", [[0], [1, 2], [3, 4], [5]]),
    ("a call still unanswered", "u c1", [[0], [1]]),
    ("a call half answered", "u c2 t", [[0], [1, 2]]),
    ("answers of 2023", "u a f u", [[0], [1, 2], [3]]),
    ("answers to nothing", "t t u", [[0, 1], [2]]),
    ("answers to instructions", "s t u", [[0], [1], [2]]),
    ("an answer after an instruction in between", "u a s t", [[0], [1], [2, 3]]),
    ("an instruction in between", "u s c1 t", [[0], [1], [2, 3]]),
]


@pytest.mark.parametrize("pattern, expected", [row[1:] for row in GROUPS], ids=[row[0] for row in GROUPS])
def test_messages_fall_into_groups(pattern, expected):
    """A tool message belongs to what stands before it."""
    assert [places(group) for group in groups_of(conversation(pattern))] == expected


# ---- trim_messages

# With a token a message: pattern, limit, places that stay.
TRIMMED = [
    ("nothing", "", 1, []),
    ("all fits", "s u a u", 4, [0, 1, 2, 3]),
    ("the oldest goes, and its answer with it", "s u a u a u", 5, [0, 3, 4, 5]),
    ("an answer without its question is no beginning", "u a u a u", 4, [2, 3, 4]),
    ("only what has to stay", "s u a u", 2, [0, 3]),
    ("all instructions at the beginning", "s d u a u", 3, [0, 1, 4]),
    ("instructions further on are messages like others", "s u s a u", 2, [0, 4]),
    ("a round of calls goes whole", "s u c2 t t a u a u", 5, [0, 6, 7, 8]),
    ("a round of calls stays whole", "s u c2 t t a u", 7, [0, 1, 2, 3, 4, 5, 6]),
    ("answers in waiting stay with their question", "s u a u c2 t t", 5, [0, 3, 4, 5, 6]),
    ("of many rounds the oldest go, the question stays", "s u c1 t c1 t c1 t", 6, [0, 1, 4, 5, 6, 7]),
    ("of many rounds the last stays", "s u c1 t c1 t c1 t", 4, [0, 1, 6, 7]),
    ("the last answer stays after its question", "u a u a", 2, [2, 3]),
    ("no gap where an older one would fit", "u a u c3 t t t u", 4, [7]),
    ("nobody asked", "s a a a", 3, [0, 2, 3]),
    ("instructions alone", "s d", 2, [0, 1]),
    ("answers to no call go, even where they fit", "s t t u", 4, [0, 3]),
    ("answers to no call, and nothing else", "t t", 4, []),
]


@pytest.mark.parametrize("pattern, limit, expected", [row[1:] for row in TRIMMED], ids=[row[0] for row in TRIMMED])
def test_trimming(pattern, limit, expected):
    """Oldest first, by group, down to the limit."""
    assert places(trim_messages(conversation(pattern), limit, count=one_each)) == expected


def test_instructions_may_go_too():
    """With keep_system=False they are the oldest messages there are."""
    messages = conversation("s u a u")
    assert places(trim_messages(messages, 3, count=one_each, keep_system=False)) == [1, 2, 3]
    assert places(trim_messages(messages, 4, count=one_each, keep_system=False)) == [0, 1, 2, 3]


TOO_LITTLE = [
    ("the last question", "u a u", 10, 21, "10 to begin with, 11 for the last user message"),
    ("instructions and the last question", "s d u a u", 42, 43, "32 to begin with and for the instructions, 11 for"),
    ("the last round", "u c3 t t t", 64, 65, "10 to begin with, 55 for the last user message and the last group"),
    ("instructions alone", "s d", 31, 32, "32 to begin with and for the instructions, 0 for"),
]


@pytest.mark.parametrize(
    "pattern, limit, needed, what", [row[1:] for row in TOO_LITTLE], ids=[row[0] for row in TOO_LITTLE]
)
def test_what_cannot_be_trimmed_enough_is_refused_with_the_numbers(pattern, limit, needed, what):
    """Cutting what the model has to answer would be a silent loss."""
    with pytest.raises(
        errors.PayloadError, match=f"max_tokens is {limit}, and what has to stay needs {needed}: {what}"
    ):
        trim_messages(conversation(pattern), limit, count=lambda messages, model: 10 + 11 * len(messages))


@pytest.mark.parametrize("limit", [0, -5, 2.5, True, "10", None], ids=repr)
def test_a_limit_that_is_none_is_refused(limit):
    """Tokens are whole, and at least one."""
    with pytest.raises(errors.PayloadError, match="max_tokens must be a whole number from 1, got"):
        trim_messages(conversation("u"), limit)


def test_the_usual_count_is_the_estimate():
    """With what surrounds messages, and for the model that was named."""
    messages = format_messages("Be brief.", "Hello") + conversation("a u")
    whole = history.estimate_tokens(messages)
    assert trim_messages(messages, whole) == messages
    assert len(trim_messages(messages, whole - 1)) == 2
    russian = format_messages(None, "Где здесь библиотека? " * 20) + conversation("a u")
    limit = history.estimate_tokens(russian)
    assert trim_messages(russian, limit) == russian
    assert len(trim_messages(russian, limit, model="gpt-3.5-turbo")) == 1


def test_a_text_is_one_user_message():
    """As everywhere else."""
    assert trim_messages("Hello", 100) == [{"role": "user", "content": "Hello"}]
    assert last_messages("Hello", 1) == [{"role": "user", "content": "Hello"}]


def test_each_message_is_counted_once():
    """However long the conversation: the time grows with its length, not with its square."""
    counted = []

    def count(messages, model):
        counted.extend(places(messages))
        return len(messages)

    trim_messages(conversation("s " + "u a c1 t " * 500), 100, count=count)
    assert sorted(counted) == list(range(2001))


# ---- last_messages

LAST = [
    ("nothing", "", 10, []),
    ("fewer than allowed", "s u a", 10, [0, 1, 2]),
    ("the newest", "s u a u a u", 2, [0, 4, 5]),
    ("instructions are not counted", "s d u a u", 3, [0, 1, 2, 3, 4]),
    ("a round that does not fit goes whole", "s u c2 t t a u", 4, [0, 5, 6]),
    ("a round that fits stays whole", "s u c2 t t a u", 5, [0, 2, 3, 4, 5, 6]),
    ("the last round stays, however long", "s u c3 t t t", 2, [0, 2, 3, 4, 5]),
    ("none", "s u a", 0, [0]),
    ("answers to no call go", "t u", 5, [1]),
]


@pytest.mark.parametrize("pattern, count, expected", [row[1:] for row in LAST], ids=[row[0] for row in LAST])
def test_the_last_messages(pattern, count, expected):
    """The instructions, and so many others."""
    assert places(last_messages(conversation(pattern), count)) == expected


@pytest.mark.parametrize("count", [-1, 1.5, True, None], ids=repr)
def test_a_number_of_messages_that_is_none_is_refused(count):
    """Messages are whole."""
    with pytest.raises(errors.PayloadError, match="count must be a whole number from 0, got"):
        last_messages(conversation("u"), count)


# ---- any conversation


def any_conversation(dice):
    """Instructions, then turns: a question, rounds of calls with all their answers, an answer; perhaps cut short."""
    words = dice.choice(["", "s ", "d s "])
    for _ in range(dice.randrange(8)):
        words += "u "
        for _ in range(dice.choice([0, 0, 1, 3])):
            calls = dice.randrange(1, 4)
            words += f"c{calls} " + "t " * calls
        words += dice.choice(["a ", "a ", ""])
    messages = conversation(words + dice.choice(["u", "u", ""]))
    for message in messages:
        message["content"] += " word" * dice.randrange(30)
    return messages


def assert_sound(kept, messages):
    """In order, instructions in front, no call without its answers and no answer without its call."""
    order = [int(message["content"].split()[0]) for message in kept]
    assert order == sorted(set(order))
    assert all(messages[place] == message for place, message in zip(order, kept))
    instructions = [place for place, message in enumerate(messages) if message["role"] in ("system", "developer")]
    assert order[: len(instructions)] == instructions
    waiting = []
    for message in kept:
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
        else:
            assert waiting == []
            waiting = [call["id"] for call in message.get("tool_calls", ())]
    assert waiting == []
    return order


@pytest.mark.parametrize("seed", range(300))
def test_any_conversation_stays_sound_when_trimmed(seed):
    """Within the limit, with the last question, nothing torn; refused only where even that does not fit."""
    dice = random.Random(seed)
    messages = any_conversation(dice)
    before = repr(messages)
    limit = dice.randrange(1, 600)
    users = [place for place, message in enumerate(messages) if message["role"] == "user"]
    try:
        kept = trim_messages(messages, limit)
    except errors.PayloadError:
        smallest = [m for m in messages if m["role"] in ("system", "developer")] + [messages[i] for i in users[-1:]]
        smallest += [m for group in groups_of(messages)[-1:] for m in group if m not in smallest]
        assert history.estimate_tokens(smallest) > limit
    else:
        order = assert_sound(kept, messages)
        assert not kept or history.estimate_tokens(kept) <= limit
        assert set(users[-1:]) <= set(order)
        assert order[-1:] == list(range(len(messages)))[-1:]
    assert repr(messages) == before


@pytest.mark.parametrize("seed", range(100))
def test_any_conversation_stays_sound_when_its_end_is_taken(seed):
    """No more than asked for, but for a last round that is longer; nothing torn."""
    dice = random.Random(seed)
    messages = any_conversation(dice)
    before = repr(messages)
    count = dice.randrange(12)
    kept = last_messages(messages, count)
    assert_sound(kept, messages)
    others = [message for message in kept if message["role"] not in ("system", "developer")]
    assert len(others) <= count or (count and others == groups_of(messages)[-1])
    assert repr(messages) == before
    assert all(message is not original for message in kept for original in messages)
