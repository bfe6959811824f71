"""What a prompt or a log shows of a reply."""

import pytest

from .test_reply import CALL, Reply, said, whole

REPRS = {
    "text": (whole(), "<Reply 'Ready.', stop, 11+4 tokens>"),
    "long text": (
        said("word " * 9000),
        "<Reply 'word word word word word word word word word word word word…', stop, 11+4 tokens>",
    ),
    "lines": (said("a\nb"), r"<Reply 'a\nb', stop, 11+4 tokens>"),
    "calls": (whole({"tool_calls": [CALL]}, "tool_calls", usage=None), "<Reply no text, calls f, tool_calls>"),
    "calls of odd shapes": (
        whole({"tool_calls": [{"function": 7}, {"custom": {"name": "sql"}}]}, ""),
        "<Reply no text, calls None, calls sql, 11+4 tokens>",
    ),
    "choices": ({"choices": [{"message": {"content": "a"}}, {}]}, "<Reply 'a', 2 choices>"),
    "no completion": ({"object": "list", "data": []}, "<Reply keys: object, data>"),
    "empty": ({}, "<Reply keys: >"),
}


@pytest.mark.parametrize("name", REPRS)
def test_repr_is_one_short_line(name):
    """What a prompt or a log shows is an excerpt, never the whole."""
    document, expected = REPRS[name]
    assert repr(Reply(document)) == expected
    incomplete = Reply(document)
    incomplete.complete = False
    assert repr(incomplete).endswith("incomplete>")
