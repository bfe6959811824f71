"""ChatSession: what is sent, what is remembered, and what a failure leaves behind."""

import json
import os
import stat
import warnings

import pytest

from . import module, rawchat
from .scripts import completion

memory = module("transport.memory")
session_module = module("session")

KEY = "sk-proj-0123456789abcdefghij"
STOP = {
    "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5},
}
FAILURE = memory.reply(status=400, body={"error": {"message": "no"}})
BROKEN = memory.reply(pieces=memory.sse("Once ", "upon", done=False), error=memory.cut())


@pytest.fixture(autouse=True)
def calls_without_usage():
    """A tracker warns of calls whose cost nobody told, such as streams that broke off; here many do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rawchat.UnknownPriceWarning)
        yield


def streamed(*texts):
    return [*texts, STOP]


def opened(*script, **settings):
    """(a session over a script, its transport)."""
    transport = memory.MemoryTransport(list(script))
    client = rawchat.Client(KEY, "http://127.0.0.1:1/v1", transport=transport, max_retries=0)
    return rawchat.ChatSession(client, **settings), transport


def said(messages):
    """system, question and answer as letters: "sqaqa"; t for a tool's answer, c for a call."""
    letters = {"system": "s", "user": "q", "assistant": "a", "tool": "t"}
    return "".join("c" if "tool_calls" in message else letters[message["role"]] for message in messages)


def get_time() -> str:
    """What time it is."""
    return "half past noon"


CALL = {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}


def calling(text=None):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "tool_calls": [CALL]},
        "finish_reason": "tool_calls",
    }
    return {**completion(), "choices": [choice]}


# --- what is sent and kept

ROWS = [
    # name, settings, how many questions, what the last request holds, what is kept
    ("one question", {}, 1, "q", "qa"),
    ("with a system message", {"system_prompt": "Be brief."}, 1, "sq", "sqa"),
    ("what was said before goes along", {"system_prompt": "Be brief."}, 3, "sqaqaq", "sqaqaqa"),
    ("no more than asked for", {"max_history": 4}, 5, "qaq", "qaqa"),
    ("besides the system message", {"max_history": 4, "system_prompt": "Be brief."}, 5, "sqaq", "sqaqa"),
    ("ten by default", {}, 9, "qaqaqaqaq", "qaqaqaqaqa"),
    ("an odd number", {"max_history": 3}, 5, "qaq", "aqa"),
    ("one alone", {"max_history": 1}, 3, "q", "a"),
    ("all of it", {"max_history": None}, 9, "qa" * 8 + "q", "qa" * 9),
    ("no more tokens than asked for", {"max_prompt_tokens": 30, "max_history": None}, 9, "qaq", "qa" * 9),
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("settings", "questions", "sent", "kept"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_what_is_remembered(settings, questions, sent, kept, stream):
    """The system message and the last messages; a request begins with a question."""
    script = [streamed(f"answer {n}") if stream else completion(f"answer {n}") for n in range(questions)]
    session, transport = opened(*script, **settings)
    for number in range(questions):
        assert session.send(f"question {number}", stream=stream, on_text=lambda text: None) == f"answer {number}"
    assert said(transport.json(-1)["messages"]) == sent
    assert transport.json(-1)["messages"][-1]["content"] == f"question {questions - 1}"
    assert said(session.messages) == kept
    assert session.messages[-1] == {"role": "assistant", "content": f"answer {questions - 1}"}
    assert (session.failed, session.reply.text) == (None, f"answer {questions - 1}")


def test_parameters_go_to_the_request():
    """Those of the session to each, those of a question to this one alone; its model likewise."""
    session, transport = opened(completion(), completion(), model="gpt-4o", temperature=0, max_tokens=9)
    session.send("one", temperature=1, model="o3", user="me")
    session.send("two")
    wanted = ("model", "temperature", "max_tokens", "user")
    assert [transport.json(0).get(name) for name in wanted] == ["o3", 1, 9, "me"]
    assert [transport.json(1).get(name) for name in wanted] == ["gpt-4o", 0, 9, None]


def test_system_message_and_model_may_change_at_any_time():
    session, transport = opened(completion(), completion(), completion(), system_prompt="A")
    session.send("one")
    session.system_prompt, session.model = "B", "gpt-4o"
    session.send("two")
    session.system_prompt, session.model = None, None
    session.send("three")
    assert [transport.json(n)["messages"][0]["content"] for n in range(3)] == ["A", "B", "one"]
    assert [transport.json(n)["model"] for n in range(3)] == ["gpt-4o-mini", "gpt-4o", "gpt-4o-mini"]


def test_a_question_may_be_content_parts():
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    session, transport = opened(completion())
    session.send(iter(parts))
    assert transport.json(0)["messages"] == [{"role": "user", "content": parts}]


def test_messages_are_a_copy():
    session, _ = opened(completion(), system_prompt="A")
    session.send("one")
    for message in session.messages:
        message["content"] = "changed"
    session.messages.clear()
    assert [message["content"] for message in session.messages] == ["A", "one", "Hello."]


# --- text


def test_text_as_it_comes(capsys):
    """Printed as in the tutorials, or to on_text, or from a generator; whole only on_text gets it."""
    session, _ = opened(streamed("Hel", "lo."), streamed("a", "b"), streamed("c", "d"), completion(), completion())
    assert session.send("one", True) == "Hello."
    assert capsys.readouterr().out == "Hello.\n"
    pieces = []
    assert session.send("two", stream=True, on_text=pieces.append) == "ab"
    assert pieces == ["a", "b"]
    assert list(session.stream("three")) == ["c", "d"]
    session.send("four", on_text=pieces.append)
    session.send("five")
    assert pieces == ["a", "b", "Hello."]
    assert capsys.readouterr().out == ""
    assert said(session.messages) == "qa" * 5


# --- failures

FAILURES = [
    ("an error status", FAILURE, rawchat.BadRequestError, None),
    ("no connection", ConnectionResetError("reset"), rawchat.APIConnectionError, None),
    ("a stream that breaks off", BROKEN, rawchat.StreamInterrupted, "Once upon"),
]


@pytest.mark.parametrize("way", ["send", "stream"])
@pytest.mark.parametrize(("answer", "kind", "text"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_a_failure_leaves_the_history_as_it_was(answer, kind, text, way):
    """The question waits in .failed, the partial text is in the error; retry() asks again, as it was asked."""
    session, transport = opened(streamed("one"), answer, streamed("two"), system_prompt="A")
    session.send("first", stream=True, on_text=lambda text: None)
    before = session.messages
    with pytest.raises(kind) as caught:
        if way == "send":
            session.send("second", stream=True, on_text=lambda text: None, temperature=0)
        else:
            list(session.stream("second", temperature=0))
    assert (session.messages, session.failed) == (before, "second")
    partial = caught.value.reply.text if text else None
    assert partial == text
    assert (session.reply.text if session.reply is not None else None) == text
    how = {} if way == "send" else {"stream": True, "on_text": lambda text: None}
    assert session.retry(**how) == "two"
    assert transport.json(1) == transport.json(2)
    assert transport.json(2)["temperature"] == 0
    assert (said(session.messages), session.failed) == ("sqaqa", None)


def test_a_question_too_long_is_not_lost():
    """Refused before sending, and there to be asked with another limit."""
    session, _ = opened(completion(), completion(), max_prompt_tokens=20)
    session.send("word")
    with pytest.raises(rawchat.PayloadError, match="max_tokens is 20"):
        session.send("word " * 100)
    assert (said(session.messages), session.reply) == ("qa", None)
    session.max_prompt_tokens = 200
    assert session.retry() == "Hello."


def test_there_is_nothing_to_retry():
    session, _ = opened()
    with pytest.raises(rawchat.PayloadError, match="no question that failed"):
        session.retry()


def test_an_answer_that_says_nothing_is_no_answer():
    """A reasoning model that ran out of tokens, a filter: the history stays, the question may be asked again."""
    session, transport = opened(completion(None), completion("now"))
    assert (session.send("one"), session.messages, session.failed) == ("", [], "one")
    assert session.retry(max_completion_tokens=900) == "now"
    assert transport.json(1)["max_completion_tokens"] == 900


def test_a_refusal_is_remembered():
    refusing = completion()
    refusing["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "I can't."}
    session, _ = opened(refusing)
    assert (session.send("one"), session.reply.refusal, said(session.messages)) == ("", "I can't.", "qa")


@pytest.mark.parametrize("how", ["leaving the loop", "closing", "Ctrl-C"])
def test_an_answer_that_is_stopped_counts_as_far_as_it_came(how):
    """That was the caller's wish, and no failure: the next question may refer to it."""
    session, transport = opened(streamed("Once ", "upon ", "a time"), streamed("ok"))

    def stop(text):
        if text == "upon ":
            raise KeyboardInterrupt

    if how == "Ctrl-C":
        with pytest.raises(KeyboardInterrupt):
            session.send("Tell me.", stream=True, on_text=stop)
    else:
        pieces = session.stream("Tell me.")
        for text in pieces:
            if text == "upon ":
                break
        pieces.close()
    assert [message["content"] for message in session.messages] == ["Tell me.", "Once upon "]
    assert session.reply.text == "Once upon "
    assert (session.reply.complete, session.failed) == (False, None)
    list(session.stream("Shorter."))
    assert said(transport.json(1)["messages"]) == "qaq"


def test_undo_takes_the_last_exchange_back():
    """The question, its calls and its answer; then the one before; then there is nothing."""
    session, _ = opened(completion("1"), calling(), completion("2"), system_prompt="A", tools=[get_time])
    session.send("one")
    session.send("two")
    assert said(session.messages) == "sqaqcta"
    assert (session.undo(), said(session.messages)) == ("two", "sqa")
    assert (session.undo(), said(session.messages)) == ("one", "s")
    assert session.undo() is None


# --- tools


def test_tools_are_called_and_remembered():
    """The transcript of the calls is part of the history, and goes along with the next question."""
    session, transport = opened(calling(), completion("It is."), completion("ok"), tools=[get_time])
    assert session.send("What time is it?") == "It is."
    assert [(call.name, call.result) for call in session.calls] == [("get_time", "half past noon")]
    session.send("Thanks.")
    assert (said(transport.json(2)["messages"]), session.calls) == ("qctaq", [])


def test_a_call_is_never_torn_from_its_answer():
    """With room for half of it, both go."""
    session, transport = opened(calling(), completion("It is."), completion("ok"), tools=[get_time], max_history=3)
    session.send("What time is it?")
    assert said(session.messages) == "cta"
    session.send("Thanks.")
    assert said(transport.json(2)["messages"]) == "q"
    assert said(session.messages) == "aqa"


def test_a_failure_among_calls_leaves_the_history_as_it_was():
    session, _ = opened(calling(), FAILURE, tools=[get_time])
    with pytest.raises(rawchat.BadRequestError) as caught:
        session.send("What time is it?")
    assert (session.messages, session.failed, said(caught.value.messages)) == ([], "What time is it?", "qct")
    assert session.calls[0].result == "half past noon"


def test_a_stop_among_calls_can_be_gone_on_from():
    """max_rounds ends it between two replies; the next question follows on what was found out."""
    session, transport = opened(calling(), completion("Now."), tools=[get_time], max_rounds=1)
    assert session.send("What time is it?") == ""
    assert (said(session.messages), session.failed) == ("qct", None)
    assert session.send("Well?") == "Now."
    assert said(transport.json(1)["messages"]) == "qctq"


def test_calls_are_remembered_whatever_the_model_says_of_them():
    """Nothing, for instance: what was done was done."""
    session, _ = opened(calling(), completion(None), tools={"get_time": lambda: ""})
    assert (session.send("What time is it?"), said(session.messages), session.failed) == ("", "qcta", None)


@pytest.mark.parametrize(("text", "kept"), [("Let me look.", "qa"), (None, "")], ids=["with words", "without"])
def test_calls_that_nobody_makes_are_not_remembered(text, kept):
    """A server would refuse the next question: a call must be answered. The words stay."""
    session, _ = opened(calling(text))
    session.send("What time is it?", tools=[rawchat.tool_schema(get_time)])
    assert said(session.messages) == kept
    assert session.failed == (None if text else "What time is it?")
    assert session.reply.tool_calls


# --- money, and whose client it is


def test_what_it_costs():
    session, _ = opened(completion(), completion(model="nobody-knows"))
    session.send("one")
    assert session.total_cost == pytest.approx((10 * 0.15 + 5 * 0.6) / 1e6)
    assert session.cost_report().startswith("API Calls: 1\nInput tokens: 10\nOutput tokens: 5\nTotal cost: $0.000")
    assert "gpt-4o-mini: 1 call" in session.cost_report(per_model=True)
    assert KEY not in repr(session)
    assert "gpt-4o-mini" in repr(session)


def test_a_tracker_is_shared_where_there_is_one():
    """The client's own counts all its calls; one that is given counts instead."""
    transport = memory.MemoryTransport([completion()] * 3)
    shared, own = rawchat.CostTracker(), rawchat.CostTracker()
    client = rawchat.Client(KEY, "http://127.0.0.1:1/v1", transport=transport, cost_tracker=shared)
    client.chat("before")
    session = rawchat.ChatSession(client)
    session.send("one")
    assert (session.cost_tracker is shared, shared.call_count) == (True, 2)
    rawchat.ChatSession(client, cost_tracker=own).send("two")
    assert (own.call_count, shared.call_count) == (1, 2)


def test_a_client_of_its_own(practice, monkeypatch):
    """Made from the environment; `with` closes it. A conversation over real sockets, streamed and whole."""
    monkeypatch.setenv("OPENAI_BASE_URL", practice.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-practice")
    with rawchat.ChatSession(system_prompt="You are a tutor.", tools=[get_time]) as session:
        assert session.send("What is a token?")
        assert "".join(session.stream("And an embedding?"))
        session.send("What time is it?")
        assert [call.name for call in session.calls] == ["get_time"]
        assert said(session.messages) == "sqaqaqcta"
        assert session.cost_tracker.call_count == 4
        closed = []
        monkeypatch.setattr(session.client.transport, "close", lambda: closed.append(True), raising=False)
    assert closed == [True]


def test_a_client_that_was_given_stays_open():
    session, transport = opened(completion())
    transport.close = lambda: pytest.fail("closed")
    with session:
        session.send("one")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"client": "You are a tutor."}, "client must be a Client or None, got str"),
        ({"max_history": 0}, "max_history must be 1 or more"),
    ],
    ids=["a text for a client", "no history"],
)
def test_wrong_settings(settings, words):
    with pytest.raises(rawchat.PayloadError, match=words):
        rawchat.ChatSession(**settings)


# --- on disk


def test_a_conversation_is_saved_and_loaded(tmp_path):
    """Messages with their calls, system message and model come back; keys and parameters are not in the file."""
    path = tmp_path / "a conversation.json"
    session, _ = opened(
        calling(),
        completion("Été \u2028 😀"),
        tools=[get_time],
        system_prompt="Été",
        model="gpt-4o",
        extra_headers={"X-Key": KEY},
    )
    session.send("Quelle heure ?")
    session.save(path)
    assert KEY not in path.read_text(encoding="utf-8")
    assert "Été" in path.read_text(encoding="utf-8")
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert (saved["version"], saved["model"]) == (1, "gpt-4o")
    other, transport = opened(completion(), max_history=20)
    other.load(str(path))
    assert (other.messages, other.model) == (session.messages, "gpt-4o")
    other.send("Merci.")
    assert said(transport.json(0)["messages"]) == "sqctaq"


def test_saving_is_whole_or_not_at_all(tmp_path, monkeypatch):
    """A disk that fills up costs neither the old file nor leaves half a new one; a link stays one."""
    path = tmp_path / "saved.json"
    link = tmp_path / "link.json"
    session, _ = opened(completion("1"))
    session.save(path)
    before = path.read_text()
    session.send("one")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            session.save(path)
    assert (path.read_text(), os.listdir(tmp_path)) == (before, ["saved.json"])
    if hasattr(os, "symlink") and os.name != "nt":
        link.symlink_to(path)
        session.save(link)
        assert stat.S_ISLNK(os.lstat(link).st_mode)
        assert len(json.loads(path.read_text())["messages"]) == 2


BAD_FILES = [
    ("no JSON", "hello", "is no saved conversation: Expecting value"),
    ("not UTF-8", b"\xff\xfe", "is no saved conversation"),
    ("other JSON", '{"name": "app"}', 'has no "format": "chat session"'),
    ("a list", "[]", 'has no "format"'),
    ("a later version", '{"format": "chat session", "version": 2}', "is of version 2, and only version 1 is known"),
    ("no messages", '{"format": "chat session", "version": 1}', "messages in .* must be a text, a dict or a list"),
    ("no dicts", '{"format": "chat session", "version": 1, "messages": ["hi"]}', r"\[0\] must be a dict"),
    (
        "a model that is none",
        '{"format": "chat session", "version": 1, "messages": [], "model": 3}',
        "model in .* must be a text, got int",
    ),
]


@pytest.mark.parametrize(("content", "words"), [row[1:] for row in BAD_FILES], ids=[row[0] for row in BAD_FILES])
def test_a_file_that_is_no_conversation_changes_nothing(content, words, tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    session, _ = opened(completion(), system_prompt="A")
    session.send("one")
    with pytest.raises(rawchat.PayloadError, match=words):
        session.load(path)
    assert said(session.messages) == "sqa"
    with pytest.raises(FileNotFoundError):
        session.load(tmp_path / "nothing.json")
