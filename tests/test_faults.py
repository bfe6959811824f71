"""The table of faults: its names, how rows are merged and counted, and what each does to documents and bytes."""

import copy
import json
import random

import pytest

from . import module

faults = module("lab.faults")
edits = module("lab.edits")
framing = module("lab.framing")


def chunk(delta, finish=None, **more):
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
TEXT = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hello"}),
    chunk({"content": " there"}),
    chunk({"content": "."}),
    chunk({}, "stop"),
    {**chunk({}), "choices": [], "usage": USAGE},
    "[DONE]",
]


def call(**fragment):
    return chunk({"tool_calls": [fragment]})


TOOLS = [
    chunk({"role": "assistant", "content": None}),
    call(index=0, id="call_1", type="function", function={"name": "f", "arguments": ""}),
    call(index=0, function={"arguments": '{"a":'}),
    call(index=0, function={"arguments": "1}"}),
    call(index=1, id="call_2", type="function", function={"name": "g", "arguments": ""}),
    call(index=1, function={"arguments": "{}"}),
    chunk({}, "tool_calls"),
    "[DONE]",
]
WHOLE = {
    "id": "c1",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


def writes(name, documents=TEXT):
    plan = faults.plan_for(name)
    return [piece for group in faults.stream_pieces(faults.edited(documents, plan), plan) for piece in group]


def sent(name, documents=TEXT):
    return b"".join(writes(name, documents))


def data_of(body):
    """The data fields of a stream in the plain dialect; JSON where it is JSON."""
    texts = [line[6:] for line in body.decode("utf-8", "surrogatepass").split("\n") if line.startswith("data: ")]
    return [json.loads(text) if text.startswith("{") else text for text in texts]


def chunks(name, documents=TEXT):
    return [document for document in data_of(sent(name, documents)) if isinstance(document, dict)]


def deltas(name, documents=TEXT):
    return [choice.get("delta") for one in chunks(name, documents) for choice in one.get("choices") or ()]


def calls(name):
    return [fragment for delta in deltas(name, TOOLS) for fragment in (delta or {}).get("tool_calls") or ()]


# The table and the grammar


@pytest.mark.parametrize("name", sorted(faults.FAULTS))
def test_every_row_has_a_sentence_and_makes_a_plan(name):
    """A row without words, or with a knob that Plan does not know, is found here and not in the middle of an answer."""
    row = faults.FAULTS[name]
    plan = faults.plan_for(name)
    assert row.says.strip().endswith((".", "}", ":")) and plan.names == (name,)
    assert plan != faults.Plan(names=(name,)), "a row that turns no knob is no fault"
    if row.at is not None:
        assert faults.plan_for(f"{name}@5") != faults.plan_for(f"{name}@6")


@pytest.mark.parametrize("name", sorted(name for name, row in faults.FAULTS.items() if not row.knobs.get("instead")))
def test_no_row_touches_the_documents_it_was_given(name):
    """The tap and the server use one list of documents for several answers."""
    before = copy.deepcopy(TEXT + TOOLS)
    plan = faults.plan_for(name)
    first = faults.stream_pieces(faults.edited(before, plan), plan)
    assert before == TEXT + TOOLS
    assert first == faults.stream_pieces(faults.edited(before, plan), plan)


def test_names_are_unique():
    """Two rows of one name would leave the first out of reach."""
    module_table = module("lab.fault_table")
    names = [row.name for _, rows in module_table.GROUPS for row in rows]
    assert len(names) == len(set(names)) == len(faults.FAULTS)


def test_the_list_for_people_names_every_row():
    """--list-faults leaves nothing out, and keeps to a terminal's width."""
    text = faults.list_faults()
    assert all(f"  {name}" in text for name in faults.FAULTS)
    assert max(map(len, text.splitlines())) <= 200


GRAMMAR = {
    "bare": ("429", [("429", None, None, ())]),
    "times": ("429x2", [("429", None, 2, ())]),
    "at": ("cut@7", [("cut", 7, None, ())]),
    "default at": ("cut", [("cut", 3, None, ())]),
    "at zero": ("cut@0", [("cut", 0, None, ())]),
    "at and times": ("cut@7x2", [("cut", 7, 2, ())]),
    "times and at": ("cutx2@7", [("cut", 7, 2, ())]),
    "bare value": ("slow=20", [("slow", None, None, (("ms", "20"),))]),
    "named value": ("429x2=retry-after:1", [("429", None, 2, (("retry-after", "1"),))]),
    "two values": ("503=retry-after:2,body:html", [("503", None, None, (("retry-after", "2"), ("body", "html")))]),
    "status without words": ("418", [("418", None, None, ())]),
    "joined": ("crlf+slow=5", [("crlf", None, None, ()), ("slow", None, None, (("ms", "5"),))]),
    "spaces": (" crlf + bom ", [("crlf", None, None, ()), ("bom", None, None, ())]),
    "digits in a name": ("http10x3", [("http10", None, 3, ())]),
    "nothing": ("", []),
}


@pytest.mark.parametrize("text,expected", GRAMMAR.values(), ids=GRAMMAR.keys())
def test_grammar(text, expected):
    """NAME [@N] [xN] [=VALUE], joined by +."""
    assert [(part.row.name, part.at, part.times, part.options) for part in faults.parse_fault(text)] == expected


REFUSED = {
    "unknown, with the nearest": ("cuut@3", "cut"),
    "unknown, far from all": ("qqqqqq", "--list-faults"),
    "no event to count": ("429@3", "takes no @N"),
    "never": ("429x0", "never happen"),
    "takes no value": ("crlf=5", "takes no value"),
    "no number": ("slow=soon", "cannot be used"),
    "unknown option": ("429=wait:5", "no option 'wait'"),
    "unknown body": ("500=body:xml", "cannot be used"),
    "no form at all": ("Cut@", "The form is"),
    "status out of range": ("200", "There is no fault"),
}


@pytest.mark.parametrize("text,words", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_fault_is_refused_with_the_reason(text, words):
    """A mistyped fault must not silently be none."""
    with pytest.raises(faults.FaultNameError, match=None) as caught:
        faults.parse_fault(text)
    assert words in str(caught.value) and isinstance(caught.value, ValueError)


TURNS = {
    "two then clean": ("429x2", [429, 429, None]),
    "a sequence": ("429x1+503x3", [429, 503, 503, None]),
    "for ever": ("500", [500, 500, 500]),
    "first one wins": ("401+500", [401, 401]),
}


@pytest.mark.parametrize("text,statuses", TURNS.values(), ids=TURNS.keys())
def test_whose_turn_it_is(text, statuses):
    """xN counts requests; where two parts contradict, the first one wins until it is used up."""
    plans = [faults.plan_for(text, attempt) for attempt in range(1, len(statuses) + 1)]
    assert [plan.instead.status if plan.instead else None for plan in plans] == statuses


def test_a_part_that_gives_way_takes_its_headers_along():
    """429x1+503x1: the 429's Retry-After does not stand on the 503, nor the other way round."""
    assert faults.plan_for("503+429").headers == ()
    assert ("retry-after", "1") in faults.plan_for("429+503").headers


def test_joined_parts_add_up():
    """Where parts do not contradict, all act."""
    plan = faults.plan_for("crlf+bom+ids+slow=7+cut@2")
    assert dict(plan.dialect) == {"line_ends": ("\r\n",), "bom": True, "fields": (("id", "{n}"),)}
    assert (plan.pace_ms, plan.ending) == (7.0, ("cut", 2, ""))


def test_stream_faults_leave_a_whole_reply_alone():
    """A whole reply has no events to write with CRLF; a cut it can have."""
    assert faults.plan_for("crlf+cut", stream=False).names == ("cut",)


def test_retries_count_and_new_requests_start_anew():
    """The count belongs to fault and request; once past the fault, it begins again."""
    counter, parts = faults.Counter(), faults.parse_fault("429x2")
    a = [counter.attempt("429x2", "a", parts) for _ in range(5)]
    assert a == [1, 2, 3, 1, 2]
    assert counter.attempt("429x2", "b", parts) == 1
    assert counter.attempt("429x3", "a", faults.parse_fault("429x3")) == 1


# Statuses

WAITS = {
    "429": ({"retry-after": "1"}, 1.0),
    "429=5": ({"retry-after": "5"}, 5.0),
    "429=retry-after:0.25": ({"retry-after": "0.25"}, 0.25),
    "429-none": ({}, None),
    "429=none": ({}, None),
    "429-ms": ({"retry-after-ms": "250"}, 0.25),
    "429-day": ({"retry-after": "86400"}, 86400.0),
    "429-garbage": ({"retry-after": "soon"}, None),
    "429-negative": ({"retry-after": "-1"}, None),
    "429=retry-after-date:61": ({"retry-after": "Thu, 01 Jan 1970 00:02:41 GMT"}, 60.0),
    "429=reset:6m0s": ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
    "503": ({}, None),
    "503=retry-after:2": ({"retry-after": "2"}, 2.0),
    "should-retry": ({"x-should-retry": "true"}, None),
}


@pytest.mark.parametrize("name", WAITS)
def test_the_wait_is_said_as_asked(name):
    """Every form of Retry-After, and the figure that the verdict holds the client to."""
    headers, seconds = WAITS[name]
    plan = faults.plan_for(name)
    assert dict(faults.fill_headers([], plan.headers, now_s=100.0)) == headers
    assert plan.wait.seconds == seconds


def test_the_wait_in_words_stands_in_the_message():
    """OpenAI says "Please try again in 1.187s." where the header is missing."""
    plan = faults.plan_for("429=retry-after-text:1.187")
    body, _ = faults.error_body(plan.instead, plan.wait)
    assert json.loads(body)["error"]["message"].endswith("Please try again in 1.187s.")
    assert plan.wait.seconds == 1.187 and ("retry-after", None) in plan.headers


SHAPES = {
    "": lambda body: json.loads(body)["error"]["code"] == "overloaded",
    "string": lambda body: isinstance(json.loads(body)["error"], str),
    "flat": lambda body: json.loads(body)["object"] == "error" and json.loads(body)["code"] == 503,
    "list": lambda body: json.loads(body)[0]["error"]["code"] == 503,
    "detail": lambda body: isinstance(json.loads(body)["detail"], str),
    "details": lambda body: isinstance(json.loads(body)["detail"][0]["msg"], str),
    "errors": lambda body: json.loads(body)["errors"][0]["message"],
    "message": lambda body: list(json.loads(body)) == ["message"],
    "code-text": lambda body: json.loads(body)["error"]["code"] == "503",
    "text": lambda body: body.startswith(b"upstream"),
    "html": lambda body: b"<title>503 Service Unavailable</title>" in body,
    "empty": lambda body: body == b"",
    "null": lambda body: body == b"null",
    "quoted": lambda body: isinstance(json.loads(body), str),
    "latin1": lambda body: b"\xe8" in body,
}


def test_every_error_shape_is_tested():
    """A shape added to the table needs a row above."""
    assert set(SHAPES) == set(module("lab.fault_status").ERROR_SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_error_shapes(shape):
    """Errors come in the shapes of quirks seen in the wild."""
    plan = faults.plan_for(f"503=body:{shape}")
    body, _ = faults.error_body(plan.instead, plan.wait)
    assert SHAPES[shape](body)


RETRY = {
    "rate limit": (429, {"code": "rate_limit_exceeded"}, {}, True),
    "quota by code": (429, {"code": "insufficient_quota"}, {}, False),
    "quota by type": (429, {"code": None, "type": "insufficient_quota"}, {}, False),
    "overload": (503, None, {}, True),
    "bad request": (400, None, {}, False),
    "bad key": (401, None, {}, False),
    "timeout": (408, None, {}, True),
    "asked to": (400, None, {"x-should-retry": "true"}, True),
    "forbidden to": (500, None, {"x-should-retry": "false"}, False),
    "good": (200, None, {}, None),
    "redirect": (307, None, {}, None),
}


@pytest.mark.parametrize("status,error,headers,expected", RETRY.values(), ids=RETRY.keys())
def test_what_an_answer_says_about_trying_again(status, error, headers, expected):
    """The verdict's idea of retryable and final."""
    assert faults.invites_retry(status, error, headers) is expected


# Documents

DOCUMENTS = {
    "azure": lambda: chunks("azure")[0]["choices"] == [] and "prompt_filter_results" in chunks("azure")[0],
    "empty-choices@2": lambda: chunks("empty-choices@2")[2]["choices"] == [],
    "null-choices": lambda: chunks("null-choices")[1]["choices"] is None,
    "null-delta": lambda: deltas("null-delta")[-1] is None,
    "no-delta": lambda: "delta" not in chunks("no-delta")[2]["choices"][0],
    "bare": lambda: set(chunks("bare")[1]) == {"choices"} and "finish_reason" not in chunks("bare")[1]["choices"][0],
    "changing-ids": lambda: len({one["id"] for one in chunks("changing-ids")}) == len(chunks("changing-ids")),
    "roles": lambda: [delta.get("role") for delta in deltas("roles")[:4]] == ["assistant"] * 4,
    "nulls": lambda: deltas("nulls")[1]["tool_calls"] is None and deltas("nulls")[1]["content"] == "Hello",
    "content-parts": lambda: deltas("content-parts")[1]["content"] == [{"type": "text", "text": "Hello"}],
    "growing": lambda: chunks("growing")[2]["choices"][0]["message"]["content"] == "Hello there",
    "reasoning": lambda: deltas("reasoning")[1]["reasoning_content"] == "Let me ",
    "reasoning=a&b": lambda: set(deltas("reasoning=a&b")[1]) == {"content", "a", "b"},
    "no-done": lambda: data_of(sent("no-done"))[-1] != "[DONE]" and b'"stop"' in sent("no-done"),
    "no-finish": lambda: b'"stop"' not in sent("no-finish") and sent("no-finish").endswith(b"data: [DONE]\n\n"),
    "finish-empty": lambda: chunks("finish-empty")[1]["choices"][0]["finish_reason"] == "",
    "finish-empty=null": lambda: chunks("finish-empty=null")[1]["choices"][0]["finish_reason"] == "null",
    "finish": lambda: chunks("finish")[4]["choices"][0]["finish_reason"] == "eos",
    "finish=end_turn": lambda: chunks("finish=end_turn")[4]["choices"][0]["finish_reason"] == "end_turn",
    "finish-twice": lambda: (
        [c["finish_reason"] for one in chunks("finish-twice") for c in one["choices"]][4:] == ["stop", "stop", None]
    ),
    "no-usage": lambda: b"usage" not in sent("no-usage") and len(chunks("no-usage")) == 5,
    "usage-finish": lambda: chunks("usage-finish")[-1]["usage"] == USAGE and chunks("usage-finish")[-1]["choices"],
    "usage-choice": lambda: chunks("usage-choice")[-1]["choices"][0]["usage"] == USAGE,
    "usage-groq": lambda: chunks("usage-groq")[-1]["x_groq"]["usage"] == USAGE,
    "usage-every": lambda: [one["usage"]["completion_tokens"] for one in chunks("usage-every")] == [0, 1, 2, 3, 4],
    "usage-null": lambda: [one["usage"] for one in chunks("usage-null")] == [USAGE, None, None, None, None],
    "tools-no-index": lambda: (
        len(calls("tools-no-index")) == 5 and not any("index" in c for c in calls("tools-no-index"))
    ),
    "tools-whole": lambda: (
        [(c["id"], c["function"]["arguments"], "index" in c) for c in calls("tools-whole")]
        == [("call_1", '{"a":1}', False), ("call_2", "{}", False)]
    ),
    "tools-index-zero": lambda: [c["index"] for c in calls("tools-index-zero")] == [0, 0],
    "tools-repeated": lambda: (
        [(c["id"], c["function"]["name"]) for c in calls("tools-repeated")]
        == [("call_1", "f")] * 3 + [("call_2", "g")] * 2
    ),
    "tools-object": lambda: (
        [(c["index"], c["function"]["arguments"]) for c in calls("tools-object")] == [(0, {"a": 1}), (1, {})]
    ),
    "tools-nulls": lambda: calls("tools-nulls")[1]["id"] == "" and calls("tools-nulls")[1]["function"]["name"] is None,
    "tools-stop": lambda: chunks("tools-stop", TOOLS)[-1]["choices"][0]["finish_reason"] == "stop",
    "error@2": lambda: list(chunks("error@2")[2]) == ["error"] and len(data_of(sent("error@2"))) == 3,
    "error-done": lambda: "error" in chunks("error-done")[3] and data_of(sent("error-done"))[4] == "[DONE]",
    "error-429": lambda: data_of(sent("error-429"))[0]["error"]["code"] == 429,
    "error-event": lambda: b"event: error\ndata: {" in sent("error-event"),
    "error-text": lambda: sent("error-text").endswith(b"event: error\ndata: upstream failed\n\n"),
    "error-field": lambda: b"\nerror: {" in sent("error-field"),
    "error-string": lambda: isinstance(chunks("error-string")[3]["error"], str),
    "error-object": lambda: chunks("error-object")[3]["object"] == "error",
    "error-choice": lambda: chunks("error-choice")[3]["choices"][0]["finish_reason"] == "error",
    "done-only": lambda: sent("done-only") == b"data: [DONE]\n\n",
    "cut-clean@2": lambda: data_of(sent("cut-clean@2")) == TEXT[:2],
    "split-surrogates": lambda: rb"\ud83c" in sent("split-surrogates") and rb"\udf89" in sent("split-surrogates"),
    "separators": lambda: "\u2028\u2029\x85".encode() in sent("separators"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_faults_do_to_documents(name):
    """Each row's own shape is there."""
    assert DOCUMENTS[name]()


def test_a_glued_frame_is_no_json():
    """What was lost cannot be had back: the frame neither parses nor looks like the end."""
    glued = sent("glued").split(b"\n\n")[2][len(b"data: ") :]
    with pytest.raises(ValueError):
        json.loads(glued)
    assert b"data: {" in glued


ON_WHOLE = {
    "null-choices": lambda document: document["choices"] is None,
    "content-parts": lambda document: document["choices"][0]["message"]["content"][0]["text"] == "Hi",
    "no-finish": lambda document: document["choices"][0]["finish_reason"] is None,
    "no-usage": lambda document: "usage" not in document,
    "reasoning": lambda document: document["choices"][0]["message"]["reasoning_content"] == "Let me think.",
    "bare": lambda document: "id" not in document and document["choices"],
    "nulls": lambda document: document["choices"][0]["message"]["refusal"] is None,
}


@pytest.mark.parametrize("name", ON_WHOLE)
def test_faults_that_whole_replies_have_too(name):
    """The same edit serves a whole reply, as a list of one."""
    (document,) = faults.edited([WHOLE], faults.plan_for(name, stream=False))
    assert ON_WHOLE[name](document)


COMPLETE = {
    "clean": ("", True),
    "no [DONE]": ("no-done", True),
    "no finish_reason": ("no-finish", True),
    "cut properly": ("cut-clean@3", False),
    "error, then [DONE]": ("error-done", False),
    "an error event": ("error-event", False),
    "an error field": ("error-field", False),
    "error by its object": ("error-object", False),
    "an error beside a choice": ("error-choice", False),
    "done, and nothing else": ("done-only", True),
}


@pytest.mark.parametrize("name,expected", COMPLETE.values(), ids=COMPLETE.keys())
def test_which_streams_may_be_taken_for_whole(name, expected):
    """[DONE] or a finish_reason ends an answer; an error does not."""
    assert bool(edits.is_complete(faults.edited(TEXT, faults.plan_for(name)))) is expected


# Bytes

PLAIN = b"".join(framing.write_events(TEXT))

BYTES = {
    "": lambda: sent("") == PLAIN and len(writes("")) == len(TEXT),
    "crlf": lambda: sent("crlf") == PLAIN.replace(b"\n", b"\r\n"),
    "cr": lambda: sent("cr") == PLAIN.replace(b"\n", b"\r"),
    "mixed": lambda: {event[-1:] + event[-2:-1] for event in writes("mixed")} == {b"\n\n", b"\n\r", b"\r\r"},
    "crlf-split": lambda: sent("crlf-split") == sent("crlf") and all(p[-1:] in b"\r\n" for p in writes("crlf-split")),
    "no-space": lambda: sent("no-space") == PLAIN.replace(b"data: ", b"data:"),
    "two-spaces": lambda: sent("two-spaces") == PLAIN.replace(b"data: ", b"data:  "),
    "multi-line": lambda: writes("multi-line")[0].count(b"data: ") > 5,
    "bom": lambda: sent("bom") == b"\xef\xbb\xbf" + PLAIN,
    "ids": lambda: writes("ids")[2].startswith(b"id: 2\ndata: "),
    "event-names": lambda: writes("event-names")[0].startswith(b"event: message\ndata: "),
    "retry-field": lambda: writes("retry-field")[0].startswith(b"retry: 3000\ndata: "),
    "unknown-fields": lambda: writes("unknown-fields")[0].startswith(b"x-note: nothing\nempty: \ndata: "),
    "unended": lambda: sent("unended").endswith(b"data: [DONE]"),
    "half-ended": lambda: sent("half-ended").endswith(b"data: [DONE]\n") and not sent("half-ended").endswith(b"\n\n"),
    "comments": lambda: sent("comments").startswith(b": keep-alive\n\ndata: "),
    "comment-data": lambda: b"data: : keep-alive\n\n" in sent("comment-data"),
    "pings": lambda: sent("pings").count(b"event: ping\n") == len(TEXT),
    "heartbeats": lambda: sent("heartbeats").startswith(b"data: \n\ndata: {"),
    "no-data": lambda: sent("no-data").startswith(b"id: 7\nretry: 1000\n\ndata: {"),
    "after-done": lambda: sent("after-done").index(b"[DONE]") < sent("after-done").index(b"after the end"),
    "pairs": lambda: sent("pairs") == PLAIN and len(writes("pairs")) == 4,
    "buffered": lambda: writes("buffered") == [PLAIN],
    "blocks": lambda: sent("blocks") == PLAIN and [len(piece) for piece in writes("blocks", TEXT * 2)][:1] == [1024],
    "halves": lambda: sent("halves") == PLAIN and len(writes("halves")) == 2 * len(TEXT),
    "bytes": lambda: sent("bytes") == PLAIN and len(writes("bytes")) == len(PLAIN),
    "split-utf8": lambda: sum(not _whole_characters(piece) for piece in writes("split-utf8")) > 3,
    "raw-utf8": lambda: "é".encode() in sent("raw-utf8", [chunk({"content": "é"})]),
    "cut@2": lambda: sent("cut@2") == b"".join(framing.write_events(TEXT[:2])),
    "cut@0": lambda: sent("cut@0") == b"",
    "cut@99": lambda: sent("cut@99") == PLAIN,
    "cut-inside@2": lambda: PLAIN.startswith(sent("cut-inside@2")) and not sent("cut-inside@2").endswith(b"\n\n"),
    "cut-character": lambda: not _whole_characters(sent("cut-character")),
    "stall-done": lambda: sent("stall-done") == PLAIN,
    "stall-finish": lambda: b"[DONE]" not in sent("stall-finish") and b'"stop"' in sent("stall-finish"),
}


def _whole_characters(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("name", BYTES, ids=lambda name: name or "clean")
def test_what_faults_do_to_bytes(name):
    """Each row's own bytes are there, and nothing of the answer is lost where nothing should be."""
    assert BYTES[name]()


def test_the_clean_dialect_is_openais():
    """Compact JSON in ASCII, one space after the colon, LF, and a blank line."""
    assert framing.write_events([{"a": "é"}, "[DONE]"]) == [b'data: {"a":"\\u00e9"}\n\n', b"data: [DONE]\n\n"]


def test_random_combinations_make_bytes():
    """Any faults that can be named together can be carried out together."""
    dice = random.Random(7)
    names = sorted(faults.FAULTS)
    for _ in range(300):
        name = "+".join(dice.sample(names, 3))
        plan = faults.plan_for(name)
        groups = faults.stream_pieces(faults.edited(TEXT + TOOLS, plan), plan)
        assert all(isinstance(piece, bytes) for group in groups for piece in group), name
