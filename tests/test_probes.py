"""What the doctor asks: every question is small, and fits the server's words."""

import json

import pytest

from .clinic import completion, http, probes, refusal, seen


def plan(**settings):
    return probes.Plan("http://127.0.0.1:8000/v1", "sk-1", **{"model": "m", "embedding_model": "e", **settings})


SIGHTS = {"chat": seen(completion({"content": probes.SENTENCE}))}


@pytest.mark.parametrize("probe", probes.PROBES, ids=lambda probe: probe.name)
def test_every_question_can_be_sent(probe):
    """To the right place, with the key, and with the JSON that its endpoint takes."""
    asked = plan()
    request = asked.request(probe.build(asked, SIGHTS))
    headers = dict(request.headers)
    assert request.url.startswith("http://127.0.0.1:8000/v1/")
    assert headers["Authorization"] == f"Bearer {probes.WRONG_KEY if probe.name == 'wrong-key' else 'sk-1'}"
    assert headers["Accept-Encoding"] == "gzip, deflate"
    assert (request.method == "GET") is (request.body == b"")
    if probe.name != "bad-json" and request.body:
        assert json.loads(request.body)["model"]


@pytest.mark.parametrize("probe", probes.PROBES, ids=lambda probe: probe.name)
def test_what_a_question_may_cost_is_bounded(probe):
    """The limit it sends is the one that was announced; what is meant to be refused could cost a few tokens."""
    ask = probe.build(plan(), SIGHTS)
    if isinstance(ask.body, dict) and "messages" in ask.body and probe.most_tokens:
        assert ask.body["max_tokens"] * ask.body.get("n", 1) == probe.most_tokens


def test_questions_that_have_nothing_to_ask_are_left_out():
    """Without an embedding model, and without a word to stop at."""
    bare = plan(embedding_model="")
    by_name = {probe.name: probe for probe in probes.PROBES}
    for name in ("embeddings", "embeddings-base64", "stop"):
        assert by_name[name].build(bare, {}) is None


STOPS = {
    "in the middle": (probes.SENTENCE, "six"),
    "said once only": ("one two two two three", ""),
    "nothing": ("", ""),
    "one word": ("Hi", ""),
    "no words": ("1 2 3 4 5", ""),
}


@pytest.mark.parametrize("text,word", STOPS.values(), ids=STOPS.keys())
def test_the_word_to_stop_at(text, word):
    """One that stands once in the middle of the answer."""
    assert probes.stop_word({"chat": seen(completion({"content": text}))}) == word


LESSONS = {
    "max_tokens": ({"param": "max_tokens"}, "max_completion_tokens", "max_tokens"),
    "temperature": ({"param": "temperature"}, None, "temperature"),
    "stream_options, by its message": ({"message": "Extra inputs: stream_options"}, None, "stream_options"),
}


@pytest.mark.parametrize("error,instead,name", LESSONS.values(), ids=LESSONS.keys())
def test_a_refused_parameter_is_sent_otherwise_or_not_at_all(error, instead, name):
    """And stays so for all further questions; the note says what happened."""
    asked = plan()
    build = next(probe.build for probe in probes.PROBES if probe.name == "stream")
    assert asked.learn(build(asked, {}), seen(refusal(400, error)))
    body = build(asked, {}).body
    assert name not in body
    assert instead is None or instead in body
    assert asked.notes[0].startswith(f"{name} was refused (400)")


NO_LESSONS = {
    "another parameter": refusal(400, {"param": "messages", "message": "max_tokens is fine, messages is not"}),
    "another status": refusal(500, {"param": "max_tokens"}),
    "an answer": completion(),
}


@pytest.mark.parametrize("answer", NO_LESSONS.values(), ids=NO_LESSONS.keys())
def test_what_teaches_nothing(answer):
    """A refusal that does not name a parameter is what it is."""
    asked = plan()
    assert not asked.learn(asked.chat("Hi", 5), seen(answer))
    assert asked.notes == []


def test_lessons_end():
    """A server that refuses each name in turn runs out of names."""
    asked = plan()
    for param in ("max_tokens", "max_completion_tokens"):
        assert asked.learn(asked.chat("Hi", 5), seen(refusal(400, {"param": param})))
    assert not set(asked.chat("Hi", 5).body) & {"max_tokens", "max_completion_tokens"}
    assert not asked.learn(asked.chat("Hi", 5), seen(refusal(400, {"param": "max_completion_tokens"})))


MODELS = {
    "the first that chats": (["text-embedding-3-small", "llama3"], ("llama3", "text-embedding-3-small")),
    "none that embeds": (["whisper-1", "tts-1", "qwen"], ("qwen", "")),
    "nothing of use": (["whisper-1"], ("gpt-4o-mini", "")),
    "nothing": ([], ("gpt-4o-mini", "")),
}


@pytest.mark.parametrize("names,chosen", MODELS.values(), ids=MODELS.keys())
def test_models_are_chosen_from_the_servers_list(names, chosen):
    """Where the user named none."""
    asked = plan(model="", embedding_model="")
    probes.choose_models(asked, seen(http({"data": [{"id": name} for name in names]})))
    assert (asked.model, asked.embedding_model) == chosen


@pytest.mark.parametrize("answer", [refusal(404), http(["m"]), http(b"<html>"), http({"data": None})])
def test_a_list_that_is_none_chooses_nothing(answer):
    """A broken list is a finding of its own, and no crash."""
    asked = plan(model="mine", embedding_model="")
    probes.choose_models(asked, seen(answer))
    assert (asked.model, asked.embedding_model) == ("mine", "")


def test_only_what_the_groups_need_is_asked():
    """Errors need no stream; each group needs the list of models, for a name."""
    assert {probe.name for probe in probes.chosen(("models",))} == {"models"}
    assert "stream" not in {probe.name for probe in probes.chosen(("errors",))}
    assert {"models", "chat", "stream"} <= {probe.name for probe in probes.chosen(("stream",))}
