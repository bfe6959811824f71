"""The assembler: rows of chunks, named after what servers were seen to do, and the reply that they mean.

Each row is assembled from the chunks themselves, and from an event stream of them, byte by byte and at random cuts.
Each also checks what holds always: the pieces handed out make up the text, and no chunk is changed.
"""

import copy
import json
import random
import tracemalloc

import pytest

from . import module

sse = module("protocol.sse")
chunks = module("protocol.chunks")
reply_module = module("protocol.reply")

FULL = {"id": "c1", "object": "chat.completion.chunk", "created": 1763700000, "model": "m"}

NO_CHOICE = {**FULL, "choices": []}
ROLE = {"role": "assistant"}


def chunk(delta=None, finish=None, index=0, **beside):
    """One chunk with one choice, as OpenAI sends it."""
    choice = {"index": index, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {**FULL, "choices": [{**choice, **beside}]}


def text_chunk(text, finish=None, **beside):
    return chunk({"content": text}, finish, **beside)


def part(text):
    return {"type": "text", "text": text}


def thought(text):
    return {"type": "thinking", "thinking": [part(text)]}


def detail(text):
    return {"type": "reasoning.text", "text": text, "index": 0}


ENCRYPTED = {"type": "reasoning.encrypted", "data": "Zz", "index": 0}


def say(*texts, finish="stop", **also):
    """The chunks of a plain answer."""
    first = chunk({"role": "assistant", "content": ""})
    return [first, *(chunk({"content": text}) for text in texts), chunk({}, finish), *also.get("then", [])]


def tools(*entries, finish="tool_calls"):
    """Chunks with one tool call fragment each."""
    parts = [entry if isinstance(entry, list) else [entry] for entry in entries]
    return [
        chunk({"role": "assistant", "content": None}),
        *(chunk({"tool_calls": part}) for part in parts),
        chunk({}, finish),
    ]


def bare(choice, **top):
    """A chunk in which only what is stated is there."""
    return {"choices": [choice], **top}


def usage(prompt, completion):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def call(index=None, id=None, name=None, arguments=None, **also):
    """One fragment of a tool call; what is None is not there at all."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    entry = {key: value for key, value in (("index", index), ("id", id)) if value is not None}
    return {**entry, "function": function, **also}


def assemble(parts):
    """The assembler after these chunks, and the pieces of text it gave, the last one included."""
    assembler = chunks.ChunkAssembler()
    pieces = [assembler.add(part) for part in parts]
    return assembler, [*pieces, assembler.flush()]


def assemble_wire(parts, how, ensure_ascii=True):
    """The same over an event stream of the chunks."""
    wire = (
        b"".join(f"data: {json.dumps(part, ensure_ascii=ensure_ascii)}\n\n".encode() for part in parts)
        + b"data: [DONE]\n\n"
    )
    if how == "bytes":
        cut = [wire[at : at + 1] for at in range(len(wire))]
    else:
        places = sorted(random.Random(how).randrange(len(wire)) for _ in range(9))
        cut = [wire[start:stop] for start, stop in zip([0, *places], [*places, len(wire)])]
    decoder, assembler = sse.SSEDecoder(), chunks.ChunkAssembler()
    events = [event for data in cut for event in decoder.feed(data)]
    texts = [assembler.add(json.loads(event.data)) for event in events if event.data != "[DONE]"]
    return assembler, [*texts, assembler.flush()]


PAD = {"obfuscation": "x7Gq"}
# name: (chunks, what the reply says). Only what is stated is compared. Dense on purpose: a row is read as one thing.
# fmt: off
SHAPES = {
    "azure: first chunk without choices, id and model empty": (
        [{"choices": [], "created": 0, "id": "", "model": "", "object": "",
          "prompt_filter_results": [{"prompt_index": 0}]},
         *say("Bon", "jour")],
        {"text": "Bonjour", "finish_reason": "stop", "id": "c1", "model": "m", "created": 1763700000,
         "prompt_filter_results": [{"prompt_index": 0}]},
    ),
    "azure: annotation chunks without delta, also after the end": (
        [*say("Bonjour"), bare({"index": 0, "finish_reason": None, "content_filter_offsets": {"end_offset": 7},
                                "content_filter_results": {"hate": {"filtered": False}}}, id="", model="")],
        {"text": "Bonjour", "finish_reason": "stop", "finished": True, "id": "c1",
         "choices": [{"index": 0, "message": {**ROLE, "content": "Bonjour"}, "logprobs": None,
                      "finish_reason": "stop", "content_filter_offsets": {"end_offset": 7},
                      "content_filter_results": {"hate": {"filtered": False}}}]},
    ),
    "delta null": (
        [bare({"index": 0, "delta": None, "finish_reason": None}), *say("Bonjour")],
        {"text": "Bonjour", "finish_reason": "stop"},
    ),
    "finish_reason content_filter after text": (
        say("Once upon ", "a", finish="content_filter"), {"text": "Once upon a", "finish_reason": "content_filter"},
    ),
    "choices null": ([{**FULL, "choices": None}, *say("Bonjour")], {"text": "Bonjour", "finish_reason": "stop"}),
    "choices with an empty object": (
        [{**FULL, "choices": [{}]}, *say("Bonjour"), {**FULL, "choices": [{}]}],
        {"text": "Bonjour", "finish_reason": "stop", "finished": True},
    ),
    "no index, id, object, created, model": (
        [bare({"delta": {"content": "Bon"}}), bare({"delta": {"content": "jour"}}),
         bare({"delta": {}, "finish_reason": "stop"})],
        {"text": "Bonjour", "finish_reason": "stop", "id": None, "model": None, "object": "chat.completion"},
    ),
    "usage in a last chunk without choices, padding": (
        [{**part, "usage": None, **PAD} for part in say("Fo", "ur")]
        + [{**NO_CHOICE, "usage": usage(1200, 90), **PAD}],
        {"text": "Four", "finish_reason": "stop", "usage": usage(1200, 90), "obfuscation": KeyError},
    ),
    "usage under x_groq": (
        [{**say("Hey")[0], "x_groq": {"id": "r1"}}, *say("Hey")[1:2],
         {**chunk({}, "stop"), "x_groq": {"id": "r1", "usage": usage(21, 3)}}],
        {"text": "Hey", "usage": usage(21, 3), "finish_reason": "stop"},
    ),
    "usage repeated, empty tool_calls in every delta": (
        [chunk({"content": "Hey", "tool_calls": []}), {**chunk({"tool_calls": []}, "stop"), "usage": usage(21, 3)},
         {**NO_CHOICE, "usage": usage(21, 3)}],
        {"text": "Hey", "usage": usage(21, 3), "calls": []},
    ),
    "usage with the finish chunk, which has text (Mistral)": (
        [chunk({**ROLE, "content": "Oui"}), {**text_chunk(".", "stop"), "usage": usage(8, 3)}],
        {"text": "Oui.", "finish_reason": "stop", "usage": usage(8, 3)},
    ),
    "running usage in every chunk": (
        [{**text_chunk(text, finish), "usage": usage(10, at)}
         for at, (text, finish) in enumerate([("One ", None), ("two ", None), ("three", "stop")], 1)],
        {"text": "One two three", "usage": usage(10, 3)},
    ),
    "usage, then usage null (xAI through LiteLLM)": (
        [text_chunk("Yes"), {**chunk({}, "stop"), "usage": usage(15, 1)}, {**NO_CHOICE, "usage": None}],
        {"text": "Yes", "usage": usage(15, 1)},
    ),
    "usage in the choice (Moonshot)": (
        [text_chunk("Hao"), chunk({}, "stop", usage=usage(19, 2))],
        {"text": "Hao", "usage": usage(19, 2), "choices": [
            {"index": 0, "message": {**ROLE, "content": "Hao"}, "logprobs": None, "finish_reason": "stop"}]},
    ),
    "usage in the choice and in its place": (
        [{**text_chunk("Hao", "stop", usage=usage(1, 1)), "usage": usage(19, 2)}], {"usage": usage(19, 2)},
    ),
    "delta and growing message (Perplexity)": (
        [{**bare({"index": 0, "delta": {**ROLE, "content": new}, "message": {**ROLE, "content": old},
                  "finish_reason": finish}), "object": "chat.completion", "usage": usage(4, at)}
         for at, (new, old, finish) in enumerate(
             [("Paris", "Paris", None), (" is", "Paris is", None), (" big.", "Paris is big.", None),
              ("", "Paris is big.", "stop")], 1)],
        {"text": "Paris is big.", "finish_reason": "stop", "usage": usage(4, 4), "pieces": ["Paris", " is", " big."]},
    ),
    "delta empty beside the last message": (
        [*say("Paris")[:2], bare({"index": 0, "delta": {}, "message": {"content": "Paris!"}, "finish_reason": "stop"})],
        {"text": "Paris"},
    ),
    "growing message only": (
        [bare({"index": 0, "message": {**ROLE, "content": text}, "finish_reason": finish})
         for text, finish in [("Paris", None), ("Paris is", None), ("Paris is big.", "stop")]],
        {"text": "Paris is big.", "finish_reason": "stop", "pieces": ["Paris", " is", " big."]},
    ),
    "growing message with calls and thinking": (
        [bare({"message": {"content": None, "reasoning": text, "audio": {"data": text},
                           "tool_calls": [call(0, "a", "f", "{}")]}})
         for text in ("hm", "hm so")],
        {"text": "", "reasoning": "hm so", "calls": [("a", "f", "{}")], "audio": {"data": "hm so"}},
    ),
    "role repeated": (
        [chunk({**ROLE, "content": text}) for text in ("alpha ", "beta")] + [chunk({"role": "assistant"}, "stop")],
        {"text": "alpha beta", "role": "assistant"},
    ),
    "nulls for every unused field (vLLM, SGLang)": (
        [chunk({"role": None, "content": text, "reasoning_content": None, "tool_calls": None, "refusal": None,
                "function_call": None}, finish, logprobs=None, matched_stop=stop)
         for text, finish, stop in [("al", None, None), ("pha", None, None), (None, "stop", 2)]],
        {"text": "alpha", "reasoning": "", "refusal": None, "calls": [], "role": "assistant", "finish_reason": "stop"},
    ),
    "reasoning_content next to content (DeepSeek)": (
        [*[chunk({**ROLE, "content": None, "reasoning_content": text}) for text in ("", "2+2 ", "is 4")],
         chunk({"content": "4", "reasoning_content": None}),
         {**chunk({"content": "", "reasoning_content": None}, "stop"), "usage": usage(12, 9)}],
        {"text": "4", "reasoning": "2+2 is 4", "usage": usage(12, 9)},
    ),
    "reasoning instead of reasoning_content (OpenRouter)": (
        [chunk({"content": "", "reasoning": "Let me ", "reasoning_details": [detail("Let me ")]}),
         chunk({"content": "", "reasoning": "see", "reasoning_details": [detail("see")]}),
         chunk({"content": "", "reasoning": None, "reasoning_details": [ENCRYPTED]}),
         text_chunk("Done", "stop")],
        {"text": "Done", "reasoning": "Let me see", "reasoning_details": [detail("Let me see"), ENCRYPTED]},
    ),
    "the same thought under both names": (
        [chunk({"reasoning": text, "reasoning_content": text}) for text in ("Hm ", "ok")] + [text_chunk("Yes", "stop")],
        {"text": "Yes", "reasoning": "Hm ok"},
    ),
    "content as parts, later a string (Magistral)": (
        [chunk({**ROLE, "content": ""})]
        + [chunk({"content": [thought(text)]}) for text in ("Sum", ": 7")]
        + [chunk({"content": [part("It is ")]}), {**text_chunk("seven.", "stop"), "usage": usage(14, 12)}],
        {"text": "It is seven.", "reasoning": "Sum: 7", "usage": usage(14, 12), "content": [
            thought("Sum: 7"), part("It is seven.")]},
    ),
    "content as text parts only": (
        [chunk({"content": [part("Hello "), "there"]}), chunk({"content": part("!")}, "stop")],
        {"text": "Hello there!", "content": "Hello there!"},
    ),
    "parts that are no text keep their place": (
        [text_chunk("see "), chunk({"content": [{"type": "reference", "reference_ids": [2]}]}), text_chunk(" there")],
        {"text": "see  there", "content": [
            part("see "), {"type": "reference", "reference_ids": [2]}, part(" there")]},
    ),
    "thinking as plain strings": (
        [chunk({"content": [{"type": "thinking", "thinking": text}]}) for text in ("a", "b")],
        {"text": "", "reasoning": "ab", "content": [{"type": "thinking", "thinking": "ab"}]},
    ),
    "reasoning inline as tags": (
        say("<think>", "abc</think>", "\n\nAnswer"), {"text": "<think>abc</think>\n\nAnswer", "reasoning": ""},
    ),
    "refusal deltas": (
        [chunk({**ROLE, "content": None, "refusal": ""}),
         *(chunk({"refusal": text}) for text in ("I can't ", "do that.")), chunk({}, "stop")],
        {"text": "", "refusal": "I can't do that.", "content": None},
    ),
    "n=2, interleaved": (
        [text_chunk(text, index=at) for text, at in [("A", 0), ("B", 1), ("da", 0), ("ob", 1)]]
        + [chunk({}, "stop", index=1), chunk({}, "length", index=0)],
        {"text": "Ada", "finish_reason": "length", "texts": ["Ada", "Bob"], "finished": True, "pieces": ["A", "da"]},
    ),
    "n=2, the second before the first (llama-server)": (
        [text_chunk(text, index=at) for text, at in [("B", 1), ("A", 0), ("ob", 1), ("da", 0)]]
        + [chunk({}, "stop", index=0)],
        {"text": "Ada", "texts": ["Ada", "Bob"], "finished": False},
    ),
    "n=3, all in one chunk, reversed": (
        [{**FULL, "choices": [{"index": at, "delta": {"content": text}, "finish_reason": "stop"}
                              for at, text in [(2, "z"), (1, "y"), (0, "x")]]}],
        {"text": "x", "texts": ["x", "y", "z"], "finished": True},
    ),
    "indices that begin at 1": ([text_chunk("ab", index=1), text_chunk("c", "stop", index=1)], {"text": "abc"}),
    "index as text, float and null": (
        [text_chunk("a", index="0"), text_chunk("b", index=0.0), text_chunk("c", "stop", index=None),
         text_chunk("d", index=float("nan")), text_chunk("e", index=float("inf")), text_chunk("f", index="x")],
        {"text": "abcdef", "texts": ["abcdef"]},
    ),
    "finish_reason empty on every chunk (Ollama, SGLang, GLM)": (
        [text_chunk(text, "") for text in "ABC"] + [chunk({}, "stop"), chunk({}, "")],
        {"text": "ABC", "finish_reason": "stop", "finished": True},
    ),
    "finish_reason empty to the end": (
        [text_chunk(text, "") for text in "AB"], {"finish_reason": None, "finished": False},
    ),
    "finish_reason is the word null (KoboldCpp)": (
        [text_chunk(text, "null") for text in "AB"] + [text_chunk("", "stop")],
        {"text": "AB", "finish_reason": "stop"},
    ),
    "finish_reason eos (Together)": (
        [*say("Two", " r", finish="eos")[:-1], {**chunk({}, "eos"), "usage": usage(54, 16)}],
        {"text": "Two r", "finish_reason": "eos", "usage": usage(54, 16)},
    ),
    "finish_reason eos_token (TGI)": (
        say("Two", finish="eos_token"), {"text": "Two", "finish_reason": "eos_token", "finished": True},
    ),
    "finish_reason end_turn": (say("Two", finish="end_turn"), {"finish_reason": "end_turn"}),
    "finish_reason insufficient_system_resource (DeepSeek)": (
        say("Half an ", "ans", finish="insufficient_system_resource"),
        {"text": "Half an ans", "finish_reason": "insufficient_system_resource"},
    ),
    "finish_reason of another type is none": (say("a", finish=7), {"finish_reason": None, "finished": False}),
    "last text and finish_reason in one chunk (vLLM)": (
        [text_chunk("fo"), text_chunk("ur", "length")], {"text": "four", "finish_reason": "length"},
    ),
    "finish chunk twice, then null": (
        [*say("ok"), chunk({}, "stop"), chunk({}, None)], {"text": "ok", "finish_reason": "stop", "finished": True},
    ),
    "no finish_reason at all": (
        say("All ", "there")[:-1], {"text": "All there", "finish_reason": None, "finished": False},
    ),
    "id, created and model of odd types": (
        [{**text_chunk("A"), "id": None, "created": None, "model": None},
         {**text_chunk("B", "stop"), "id": 7, "created": 1.5, "model": ""}],
        {"text": "AB", "id": 7, "created": 1.5, "model": None},
    ),
    "nothing said, properly finished": (
        [chunk({**ROLE, "content": ""}), {**chunk({}, "stop"), "usage": usage(5, 0)}],
        {"text": "", "content": "", "finish_reason": "stop", "usage": usage(5, 0), "finished": True},
    ),
    "no choice was ever sent": ([{**NO_CHOICE}], {"text": "", "finished": False, "choices": [], "usage": None}),
    "a whole reply as the only event": (
        [{**FULL, "object": "chat.completion", "usage": usage(9, 2),
          "choices": [{"index": 0, "message": {**ROLE, "content": "Whole answer"}, "finish_reason": "stop"}]}],
        {"text": "Whole answer", "finish_reason": "stop", "usage": usage(9, 2), "pieces": ["Whole answer"]},
    ),
    "service_tier and fingerprint late, unknown fields": (
        [*say("a"),
         {**NO_CHOICE, "service_tier": "default", "system_fingerprint": "fp", "timings": {"ms": 1}, "citations": ["u"]},
         {**NO_CHOICE, "service_tier": None, "citations": ["u", "v"], "timings": {}}],
        {"service_tier": "default", "system_fingerprint": "fp", "timings": {"ms": 1}, "citations": ["u", "v"]},
    ),
    "logprobs of content and refusal": (
        [text_chunk("a", logprobs={"content": [{"token": "a", "logprob": -1}], "refusal": None}),
         text_chunk("b", logprobs={"content": [{"token": "b", "logprob": -2}], "refusal": [{"token": "c"}]}),
         chunk({}, "stop", logprobs=None)],
        {"logprobs": {"content": [{"token": "a", "logprob": -1}, {"token": "b", "logprob": -2}],
         "refusal": [{"token": "c"}]}},
    ),
    "token ids beside the delta (vLLM)": (
        [text_chunk("a", token_ids=[1, 2]), text_chunk("b", "stop", token_ids=[3])], {"choice token_ids": [1, 2, 3]},
    ),
    "annotations in two chunks": (
        [chunk({"content": "a", "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}]}),
         chunk({"annotations": [{"type": "url_citation", "url_citation": {"url": "v"}}]}, "stop")],
        {"annotations": [{"type": "url_citation", "url_citation": {"url": url}} for url in "uv"]},
    ),
    "audio": (
        [chunk({"audio": {"id": "audio_1", "transcript": "Hel"}}),
         chunk({"audio": {"id": "audio_1", "transcript": "lo"}}),
         chunk({"audio": {"data": "QUJD", "expires_at": 10}}),
         chunk({"audio": {"data": "REVG", "expires_at": 10}}, "stop")],
        {"audio": {"id": "audio_1", "transcript": "Hello", "data": "QUJDREVG", "expires_at": 10}},
    ),
    "unknown keys of the delta": (
        [chunk({"note": "a", "score": 1, "tags": ["x"], "deep": {"s": "p", "n": 1, "more": {"t": "u"}}, "flag": False}),
         chunk({"note": "b", "score": 2, "tags": ["y"], "deep": {"s": "q", "n": 2, "more": {"t": "v"}}, "flag": True})],
        {"note": "ab", "score": 2, "tags": ["x", "y"], "deep": {"s": "pq", "n": 2, "more": {"t": "uv"}}, "flag": True},
    ),
    "junk types everywhere": (
        [{**FULL, "choices": {"index": 0}}, {**FULL, "choices": "no"}, {**NO_CHOICE, "usage": "much"},
         {**FULL, "choices": [None, 3, "x", []]}, bare({"index": 0, "delta": "text"}), bare({"index": 0, "delta": [1]}),
         bare({"index": 0, "message": 5}), chunk({"content": 5}),
         chunk({"content": [None, 7, {"type": 4}, {"text": 9}]}),
         chunk({"tool_calls": 4, "role": 3}), chunk({"tool_calls": [None, 2, {"function": None}, {"index": []}]}),
         text_chunk("ok", ["stop"])],
        {"text": "ok", "finish_reason": None, "usage": None, "role": "assistant", "calls": []},
    ),
}


SURROGATES = {
    "pair in two deltas (JavaScript gateways)": (["Hi \ud83c", "\udf89!"], "Hi 🎉!", ["Hi ", "🎉!"]),
    "pair across an empty delta": (["\ud83c", "", "\udf89"], "🎉", ["🎉"]),
    "pair inside one delta": (["\ud83c\udf89"], "🎉", ["🎉"]),
    "two pairs cut twice": (["\ud83c", "\udf89\ud83d", "\ude00"], "🎉😀", ["🎉", "😀"]),
    "lone high half": (["a\ud83c", "b"], "a\ufffdb", ["a", "\ufffdb"]),
    "lone high half before more that is not ASCII": (["a\ud83c", "é"], "a\ufffdé", ["a", "\ufffdé"]),
    "lone low half": (["a", "\udf89b"], "a\ufffdb", ["a", "\ufffdb"]),
    "high half at the very end": (["a", "\ud83c"], "a\ufffd", ["a", "\ufffd"]),
    "two high halves": (["\ud83c", "\ud83c", "x"], "\ufffd\ufffdx", ["\ufffd", "\ufffdx"]),
    "U+FFFD from the server": (["a\ufffd", "b"], "a\ufffdb", ["a\ufffd", "b"]),
}


TOOL_CALLS = {
    "two calls, fragments by index (OpenAI)": (
        tools(call(0, "a", "f", "", type="function"), call(0, arguments='{"x"'), call(0, arguments=":1}"),
              call(1, "b", "g", "", type="function"), call(1, arguments="{}")),
        {"calls": [("a", "f", '{"x":1}'), ("b", "g", "{}")], "finish_reason": "tool_calls", "content": None},
    ),
    "fragments of two calls interleaved": (
        tools(call(0, "a", "f", ""), call(1, "b", "g", ""), call(0, arguments="{1"), call(1, arguments="{2"),
              call(0, arguments="}"), call(1, arguments="}")),
        {"calls": [("a", "f", "{1}"), ("b", "g", "{2}")]},
    ),
    "no index, arguments whole, extra_content (Gemini)": (
        tools(call(id="a", name="f", arguments='{"x":1}', extra_content={"google": {"sig": "s"}}), finish="stop"),
        {"calls": [("a", "f", '{"x":1}')], "finish_reason": "stop", "extra_content": {"google": {"sig": "s"}}},
    ),
    "two calls, no index, told apart by id": (
        tools(call(id="a", name="f", arguments="{}"), call(id="b", name="f", arguments="{}"), finish="stop"),
        {"calls": [("a", "f", "{}"), ("b", "f", "{}")]},
    ),
    "fragments by id alone, interleaved": (
        tools(call(id="a", name="f", arguments="{1"), call(id="b", name="g", arguments="{2"),
              call(id="a", arguments="}"), call(id="b", arguments="}")),
        {"calls": [("a", "f", "{1}"), ("b", "g", "{2}")]},
    ),
    "two calls without index in one delta": (
        tools([call(id="a", name="f", arguments="{1}"), call(id="b", name="g", arguments="{2}")], finish="stop"),
        {"calls": [("a", "f", "{1}"), ("b", "g", "{2}")]},
    ),
    "two calls with neither index nor id": (
        tools([call(name="f", arguments="{}"), call(name="f", arguments='{"x":1}'), call(name="g", arguments="{}")]),
        {"calls": [("", "f", "{}"), ("", "f", '{"x":1}'), ("", "g", "{}")]},
    ),
    "the name alone repeated while the arguments come": (
        tools(*[call(name="f", arguments=piece) for piece in ('{"x":{}', ',"y":', "2}")]),
        {"calls": [("", "f", '{"x":{},"y":2}')]},
    ),
    "no index, arguments in pieces": (
        tools(call(id="a", name="f", arguments='{"x'), call(arguments='":'), call(arguments="1}"), finish="stop"),
        {"calls": [("a", "f", '{"x":1}')]},
    ),
    "index 0 for every call, distinct ids (Ollama)": (
        tools(call(0, "a", "f", "{1}"), call(0, "b", "g", "{2}"), call(0, "c", "g", "{3}")),
        {"calls": [("a", "f", "{1}"), ("b", "g", "{2}"), ("c", "g", "{3}")]},
    ),
    "index 0 for every call, in pieces, the first continued": (
        tools(call(0, "a", "f", "{1"), call(0, "b", "g", "{2"), call(0, arguments="}"), call(0, "a", None, "}")),
        {"calls": [("a", "f", "{1}"), ("b", "g", "{2}")]},
    ),
    "id and full name in every fragment (MiniMax on NIM)": (
        tools(*[call(0, "a", "read_file", piece, type="function") for piece in ('{"p', '":1', "}")]),
        {"calls": [("a", "read_file", '{"p":1}')]},
    ),
    "id empty or null, name null or empty, arguments null later": (
        tools(call(0, "a", "f", '{"x"'), {"index": 0, "id": "", "function": {"name": None, "arguments": ":1"}},
              {"index": 0, "id": None, "function": {"name": "", "arguments": "}"}},
              {"index": 0, "function": {"arguments": None}}),
        {"calls": [("a", "f", '{"x":1}')]},
    ),
    "arguments as an object (llama.cpp)": (
        tools(call(0, "a", "f", {"city": "Zürich"})), {"calls": [("a", "f", '{"city":"Zürich"}')]},
    ),
    "arguments as an empty object, then as text": (
        tools(call(0, "a", "f", {}), call(0, arguments='{"x":'), call(0, arguments="1}")),
        {"calls": [("a", "f", '{"x":1}')]},
    ),
    "arguments as text, then an empty object": (
        tools(call(0, "a", "f", '{"x":1}'), call(0, arguments={})), {"calls": [("a", "f", '{"x":1}')]},
    ),
    "name after the first argument fragment": (
        tools(call(0, "a", arguments='{"x"'), call(0, name="f", arguments=":1}")), {"calls": [("a", "f", '{"x":1}')]},
    ),
    "name late, neither index nor id": (
        tools(call(arguments='{"x"'), call(name="f", arguments=":1}")), {"calls": [("", "f", '{"x":1}')]},
    ),
    "id late, no index": (
        tools(call(name="f", arguments="{"), call(id="a", arguments="}")), {"calls": [("a", "f", "{}")]},
    ),
    "two entries of one index in one delta": (
        tools([call(0, "a", "f", '{"x"'), call(0, arguments=":1}")]), {"calls": [("a", "f", '{"x":1}')]},
    ),
    "no parameters": (tools(call(0, "a", "f", ""), call(0, arguments="")), {"calls": [("a", "f", "")]}),
    "arguments missing altogether": (tools(call(0, "a", "f")), {"calls": [("a", "f", "")]}),
    "arguments cut off by max_tokens": (
        tools(call(0, "a", "f", '{"x": "un'), finish="length"),
        {"calls": [("a", "f", '{"x": "un')], "finish_reason": "length"},
    ),
    "indices 1 and 3, text before": (
        [text_chunk("Let me "), text_chunk("look."), *tools(call(1, "a", "f", "{1}"), call(3, "b", "g", "{2}"))],
        {"calls": [("a", "f", "{1}"), ("b", "g", "{2}")], "text": "Let me look."},
    ),
    "index 1 before index 0": (
        tools(call(1, "b", "g", "{2}"), call(0, "a", "f", "{1}")), {"calls": [("a", "f", "{1}"), ("b", "g", "{2}")]},
    ),
    "function_call (deprecated)": (
        [chunk({**ROLE, "content": None, "function_call": {"name": "f", "arguments": ""}}),
         *(chunk({"function_call": {"arguments": text}}) for text in ('{"x"', ":1}")), chunk({}, "function_call")],
        {"calls": [], "function_call": {"name": "f", "arguments": '{"x":1}'}, "finish_reason": "function_call"},
    ),
    "a name split over fragments (reported of Gemini)": (
        tools(call(0, "a", "get_", ""), call(0, name="weather"), call(0, arguments="{}")),
        {"calls": [("a", "get_weather", "{}")]},
    ),
    "a name that grows": (
        tools(call(0, "a", "get_", ""), call(0, name="get_weather")), {"calls": [("a", "get_weather", "")]},
    ),
    "custom tool": (
        tools({"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": ""}},
              {"index": 0, "custom": {"input": "SELECT "}}, {"index": 0, "custom": {"input": "1"}}),
        {"custom": {"name": "sql", "input": "SELECT 1"}},
    ),
    "the type in every fragment (LiteLLM)": (
        tools(*[call(0, id, "f" if id else None, piece, type="function") for id, piece in [("a", "{"), (None, "}")]]),
        {"calls": [("a", "f", "{}")], "type": "function"},
    ),
    "tool_calls as one object": (
        [chunk({"tool_calls": call(0, "a", "f", "{}")}, "tool_calls")], {"calls": [("a", "f", "{}")]},
    ),
    "half a pair in two argument fragments": (
        tools(call(0, "a", "f", '"\ud83c'), call(0, arguments='\udf89"')), {"calls": [("a", "f", '"🎉"')]},
    ),
}


# fmt: on


def calls_of(reply):
    return [(call["id"], call.function.name, call.function.arguments) for call in reply.tool_calls]


def seen(name, assembler, pieces, reply):
    """What a row may state, by the name it states it under."""
    message = reply["choices"][0]["message"] if reply["choices"] else {}
    own = {
        "calls": lambda: calls_of(reply),
        "finished": lambda: assembler.finished,
        "pieces": lambda: [piece for piece in pieces if piece],
        "extra_content": lambda: reply.tool_calls[0]["extra_content"],
        "custom": lambda: reply.tool_calls[0]["custom"],
        "type": lambda: reply.tool_calls[0]["type"],
        "logprobs": lambda: reply["choices"][0]["logprobs"],
        "choice token_ids": lambda: reply["choices"][0]["token_ids"],
        "obfuscation": lambda: reply.get("obfuscation", KeyError),
    }
    if name in own:
        return own[name]()
    if name in ("text", "texts", "finish_reason", "reasoning", "refusal"):
        return getattr(reply, name)
    return reply[name] if name in reply else message[name]


def check(assembler, pieces, expected):
    reply = assembler.reply()
    assert {name: seen(name, assembler, pieces, reply) for name in expected} == expected
    assert "".join(pieces) == reply.text == assembler.text
    reply.text.encode()  # well formed: it can be written anywhere


ROWS = {**SHAPES, **TOOL_CALLS}


@pytest.mark.parametrize("name", ROWS)
def test_what_servers_send(name):
    """Each shape gives the reply that the server meant; the pieces make up its text; the chunks stay as they were."""
    parts, expected = ROWS[name]
    before = copy.deepcopy(parts)
    assembler, pieces = assemble(parts)
    check(assembler, pieces, expected)
    assert parts == before


@pytest.mark.parametrize("how", ["bytes", 1, 2, 3])
@pytest.mark.parametrize("name", ROWS)
def test_the_same_over_a_stream(name, how):
    """From bytes to the reply, wherever the reads were cut."""
    parts, expected = ROWS[name]
    assembler, pieces = assemble_wire(parts, how)
    check(assembler, pieces, expected)


@pytest.mark.parametrize("name", SURROGATES)
def test_halves_of_surrogate_pairs(name):
    """Halves are joined across deltas and held back until they can be; a half that stays alone becomes U+FFFD."""
    texts, whole, printed = SURROGATES[name]
    for assembler, pieces in (assemble(say(*texts)), assemble_wire(say(*texts), "bytes")):
        check(assembler, pieces, {"text": whole, "pieces": printed, "content": whole})


def test_text_so_far_never_shows_half_a_character():
    """While a half is held back, `text` is what was given out."""
    assembler = chunks.ChunkAssembler()
    assert [assembler.add(part) for part in say("a", "b\ud83c")[:3]] == ["", "a", "b"]
    assert assembler.text == "ab"
    assert assembler.reply().text == "ab\ufffd"
    assert assembler.add(chunk({"content": "\udf89"})) == "🎉"
    assert assembler.text == "ab🎉" == assembler.reply().text
    assert assembler.flush() == ""


def test_other_strings_are_made_well_formed_too():
    """Halves in the reasoning and in the refusal are joined as well."""
    assembler, _ = assemble(
        [chunk({"reasoning": "\ud83c", "refusal": "x\ud83c"}), chunk({"reasoning": "\udf89", "refusal": "y"})]
    )
    assert (assembler.reply().reasoning, assembler.reply().refusal) == ("🎉", "x\ufffdy")


# Whole replies, each cut into chunks in several ways.
# fmt: off
WHOLE = {
    "text": {"role": "assistant", "content": "Gradient descent rolls downhill 🎉.", "refusal": None, "annotations": []},
    "thinking": {"role": "assistant", "content": "4", "reasoning_content": "two and two"},
    "refusal": {"role": "assistant", "content": None, "refusal": "I would rather not."},
    "tools": {"role": "assistant", "content": None, "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Zürich"}'}},
        {"id": "b", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}]},
    "audio": {"role": "assistant", "content": None,
              "audio": {"id": "audio_1", "data": "QUJD", "transcript": "Hello", "expires_at": 9}},
    "parts": {"role": "assistant", "content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Sum: 7"}]}, {"type": "text", "text": "Seven."}]},
    "function_call": {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"x": 1}'}},
}
# fmt: on


def whole_reply(messages):
    """A reply as it comes without streaming, one choice per message."""
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1763700000,
        "model": "m",
        "service_tier": "default",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": at,
                "message": message,
                "logprobs": {"content": [{"token": token, "bytes": None} for token in "abc"], "refusal": None},
                "finish_reason": "stop",
            }
            for at, message in enumerate(messages)
        ],
        "usage": {**usage(8, 5), "completion_tokens_details": {"reasoning_tokens": 2}},
    }


def split_text(text, size):
    """Pieces of `size` UTF-16 units, as JSON gives them back: surrogate pairs may be cut in two."""
    units = text.encode("utf-16-le", "surrogatepass")
    return [units[at : at + 2 * size].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2 * size)]


def deltas_of(message, size):
    """The deltas that make up a message, its strings cut into pieces of `size`."""
    yield {"role": "assistant", "content": message["content"] and ""}
    for name, value in message.items():
        if name == "tool_calls":
            for at, call in enumerate(value):
                kind, text_name = ("function", "arguments") if "function" in call else ("custom", "input")
                yield {"tool_calls": [{**call, "index": at, kind: {**call[kind], text_name: ""}}]}
                for piece in split_text(call[kind][text_name], size):
                    yield {"tool_calls": [{"index": at, kind: {text_name: piece}}]}
        elif name == "audio":
            yield {"audio": {"id": value["id"]}}
            yield from ({"audio": {"data": piece}} for piece in split_text(value["data"], size))
            yield from ({"audio": {"transcript": piece}} for piece in split_text(value["transcript"], size))
            yield {"audio": {"expires_at": value["expires_at"]}}
        elif name == "function_call":
            yield {"function_call": {"name": value["name"], "arguments": ""}}
            yield from ({"function_call": {"arguments": piece}} for piece in split_text(value["arguments"], size))
        elif isinstance(value, list) and name == "content":
            for part in value:
                inner = part["thinking"][0]["text"] if part["type"] == "thinking" else part["text"]
                for piece in split_text(inner, size):
                    text = {"type": "text", "text": piece}
                    yield {
                        "content": [{"type": "thinking", "thinking": [text]} if part["type"] == "thinking" else text]
                    }
        elif isinstance(value, str) and name != "role":
            yield from ({name: piece} for piece in split_text(value, size))
        elif name not in ("role", "content"):
            yield {name: value}


def stream_of(reply, size, dice):
    """The chunks of a stream that says the same as the whole reply; the choices take turns as the dice fall."""
    top = {name: reply[name] for name in ("id", "created", "model", "service_tier", "system_fingerprint")}
    top["object"] = "chat.completion.chunk"
    queues = []
    for choice in reply["choices"]:
        tokens = choice["logprobs"]["content"]
        queue = [
            {"index": choice["index"], "delta": delta, "logprobs": None} for delta in deltas_of(choice["message"], size)
        ]
        queue += [
            {"index": choice["index"], "delta": {}, "logprobs": {"content": [token], "refusal": None}}
            for token in tokens
        ]
        queue.append(
            {"index": choice["index"], "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}
        )
        queues.append(queue)
    while any(queues):
        queue = dice.choice([queue for queue in queues if queue])
        yield {**top, "choices": [{"finish_reason": None, **queue.pop(0)}], "usage": None}
    yield {**top, "choices": [], "usage": reply["usage"]}


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize("names", [[name] for name in WHOLE] + [["text", "tools", "thinking"]], ids=" ".join)
def test_streaming_gives_the_same_reply_as_not_streaming(names, size):
    """A whole reply, cut into chunks and assembled, is the same JSON again."""
    whole = whole_reply([WHOLE[name] for name in names])
    stream = list(stream_of(whole, size, random.Random(size)))
    for how in ("bytes", 5):
        assembler, pieces = assemble_wire(stream, how, ensure_ascii=True)
        assert assembler.reply() == whole
        assert "".join(pieces) == reply_module.Reply(whole).text
        assert assembler.finished


def test_a_reply_can_be_taken_at_any_time():
    """An early reply holds what had arrived, and what comes later does not change it."""
    parts = tools(call(0, "a", "f", "{"), call(0, arguments='"x"'), call(0, arguments=":1}"))
    assembler = chunks.ChunkAssembler()
    replies = [(assembler.add(part), assembler.reply())[1] for part in parts]
    arguments = [call.function.arguments for reply in replies for call in reply.tool_calls]
    assert arguments == ["{", '{"x"', '{"x":1}', '{"x":1}']
    assert [reply.finish_reason for reply in replies] == [None] * 4 + ["tool_calls"]


def test_an_empty_assembler_gives_an_empty_reply():
    """Before the first chunk there is a reply without choices."""
    assembler = chunks.ChunkAssembler()
    assert assembler.reply() == {
        "id": None, "object": "chat.completion", "created": None, "model": None, "choices": [], "usage": None,
    }  # fmt: skip
    assert (assembler.text, assembler.finished, assembler.finished_count, assembler.flush()) == ("", False, 0, "")


def test_finished_counts_choices_once():
    """`finished_count` goes up by one for each choice that ends, however often it says so."""
    assembler = chunks.ChunkAssembler()
    counts = []
    for part in [
        chunk({"content": "a"}),
        chunk({}, "stop"),
        chunk({}, "stop"),
        chunk({}, "", index=1),
        chunk({}, "length", index=1),
    ]:
        assembler.add(part)
        counts.append((assembler.finished_count, assembler.finished))
    assert counts == [(0, False), (1, True), (1, True), (1, False), (2, True)]


def test_objects_nested_without_end_do_not_overflow_the_stack():
    """A hostile server's nesting is replaced from a certain depth on, not followed."""
    deep = {}
    for _ in range(20_000):
        deep = {"d": deep}
    assembler, _ = assemble([chunk({"x": deep}), chunk({"x": deep}), chunk({"x": deep}, "stop")])
    assert list(assembler.reply()["choices"][0]["message"]["x"]["d"]["d"]) == ["d"]


def test_long_answers_cost_time_in_proportion():
    """Thirty thousand deltas of each kind: what joined strings at every step would be here for minutes."""
    assembler = chunks.ChunkAssembler()
    delta = {"content": "x" * 100, "reasoning": "y" * 100, "tool_calls": [call(0, arguments="x" * 100)]}
    part = chunk(delta, logprobs={"content": [{"token": "x"}]})
    for _ in range(30_000):
        assembler.add(part)
    reply = assembler.reply()
    assert len(reply.choices[0].logprobs.content) == 30_000
    assert len(reply.text) == len(reply.reasoning) == len(reply.tool_calls[0].function.arguments) == 3_000_000


LONG_DELTAS = {
    "text": lambda word: {"content": word},
    "reasoning": lambda word: {"reasoning_content": word},
    "arguments": lambda word: {"tool_calls": [call(0, arguments=word)]},
    "typed parts of text": lambda word: {"content": [part(word)]},
}


@pytest.mark.parametrize("name", LONG_DELTAS)
def test_a_long_answer_takes_the_room_of_its_letters(name):
    """A Python string of five letters takes 54 bytes; ten thousand of them are kept in less than twice their letters."""
    words = [f"{number:05d}" for number in range(10_000)]
    assembler = chunks.ChunkAssembler()
    tracemalloc.start()
    try:
        before_bytes = tracemalloc.get_traced_memory()[0]
        for word in words:
            assembler.add(chunk(LONG_DELTAS[name](json.loads(f'"{word}"'))))
        kept_bytes = tracemalloc.get_traced_memory()[0] - before_bytes
    finally:
        tracemalloc.stop()
    message = assembler.reply().choices[0].message
    arguments = message.tool_calls[0].function.arguments if name == "arguments" else ""
    assert (message.get("content") or message.get("reasoning_content") or arguments) == "".join(words)
    assert kept_bytes < 2 * 5 * len(words)


def test_pieces_keep_their_order_around_parts_that_are_no_text():
    """However many pieces stand before, between and behind them."""
    image = {"type": "image_url", "image_url": "http://x/y.png"}
    runs = [1, 255, 256, 257, 600, 0, 3]
    parts, expected = [], []
    for number, count in enumerate(runs):
        words = [f"{number}.{place} " for place in range(count)]
        parts += [text_chunk(word) for word in words] + [chunk({"content": [image]})]
        expected += ([part("".join(words))] if words else []) + [image]
    assembler, _ = assemble([*parts, chunk({}, "stop")])
    assert assembler.reply().choices[0].message.content == expected
    assert assembler.text == "".join(text["text"] for text in expected if "text" in text)
