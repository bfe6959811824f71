"""What the doctor asks, as rows: a name, the groups of checks that need it, and how to build the request.

    Probe("stream", ("stream", "connection"), "the same question, streamed", _stream, most_tokens=64)

Every question is small, at temperature 0, and chosen so that its answer shows shape and not wit: `Repeat after me: one
two ...` makes some thirty events with characters of one to four bytes. Nothing is sent from here: `Plan` builds
requests, and learns from refusals which parameters this model takes.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ...protocol.headers import build_headers
from ...protocol.payload import encode_payload
from ...protocol.url import build_url
from ...protocol.wire import Request
from .sight import Sight

SAMPLE = "é ✅ 🎉 日本"  # two, three, four and three bytes in UTF-8
SENTENCE = f"one two three four five six seven eight nine ten {SAMPLE}"
QUESTION = f"Repeat after me: {SENTENCE}"
WRONG_KEY = "sk-doctor-no-such-key-000000"
NO_MODEL = f"no-such-model-{SAMPLE.replace(' ', '-')}"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CITY_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "warm": {"type": "boolean"}},
    "required": ["city", "warm"],
    "additionalProperties": False,
}
TWO_CITIES = "What is the weather in Paris and in Rome? Use the tool once for each city."
# Parameters that some models refuse and the doctor can do without, or under another name.
_GIVES_WAY: Mapping[str, Optional[str]] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": None,
    "temperature": None,
    "stream_options": None,
}
Sights = Mapping[str, Sight]


class Ask(NamedTuple):
    """One request before it has headers. `body` is a payload, or bytes as they stand; None makes it a GET."""

    path: str
    body: Any = None
    key: str = ""  # another than the user's


class Plan:
    """How to ask this server: its address, its key, the model, and what its model was found to take."""

    def __init__(
        self,
        base_url: str,
        api_key: Optional[str] = None,
        *,
        model: str = "",
        embedding_model: str = "",
        organization: Optional[str] = None,
        project: Optional[str] = None,
        user_agent: str = "",
    ) -> None:
        self.base_url = base_url
        self.api_key = api_key
        self.model = model
        self.embedding_model = embedding_model
        self.is_practice = False
        self.notes: List[str] = []
        self._names = {
            "User-Agent": user_agent or None,
            "OpenAI-Organization": organization or None,
            "OpenAI-Project": project or None,
        }
        self._instead: Dict[str, Optional[str]] = {}

    def chat(self, content: Any, most: int, **rest: Any) -> Ask:
        """A question. `content` is the user's text, or a whole list of messages."""
        messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
        payload = {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": most, **rest}
        return Ask("chat/completions", {self._name(name): value for name, value in payload.items() if self._name(name)})

    def _name(self, name: str) -> str:
        """What this parameter is called here; "" where it is left out."""
        while name in self._instead:
            name = self._instead[name] or ""
        return name

    def request(self, ask: Ask) -> Request:
        body = b"" if ask.body is None else ask.body if isinstance(ask.body, bytes) else encode_payload(ask.body)
        headers = build_headers(
            api_key=ask.key or self.api_key,
            content_type="" if ask.body is None else "application/json",
            # As SDKs send it, for streams too: what they get is what is to be seen.
            extra=(self._names, {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}),
        )
        return Request("GET" if ask.body is None else "POST", build_url(self.base_url, ask.path), headers, body)

    def learn(self, ask: Ask, sight: Sight) -> bool:
        """After a refusal that names a parameter: leave it out, or send its other name. True: worth asking again."""
        if sight.status not in (400, 404, 422) or not isinstance(ask.body, dict):
            return False
        _, message, param = sight.said()
        for name, other in _GIVES_WAY.items():
            if name in ask.body and (param == name or (not param and name in message)):
                self._instead[name] = other
                then = f"{other} is sent" if other else "it is left out"
                self.notes.append(f"{name} was refused ({sight.status}), so {then}")
                return True
        return False


class Probe(NamedTuple):
    """One question. `most_tokens`: what an answer may cost at most; 0 where none is meant to be written."""

    name: str
    groups: Tuple[str, ...]
    says: str
    build: Callable[[Plan, Sights], Optional[Ask]]
    most_tokens: int = 0
    learns: bool = True
    prompt_tokens: int = 45


def _chat(plan: Plan, _: Sights) -> Ask:
    return plan.chat(QUESTION, 96)


def _stream(plan: Plan, _: Sights) -> Ask:
    return plan.chat(QUESTION, 96, stream=True, stream_options={"include_usage": True})


def _tools(plan: Plan, _: Sights) -> Ask:
    return plan.chat(TWO_CITIES, 160, tools=[WEATHER], tool_choice="required")


def _tools_stream(plan: Plan, sights: Sights) -> Ask:
    ask = _tools(plan, sights)
    return ask._replace(body={**ask.body, "stream": True})


def _tool_result(plan: Plan, _: Sights) -> Ask:
    """A conversation in which a tool was called: the assistant's content is null, as the API itself sends it."""
    call = {
        "id": "call_doctor1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'},
    }
    messages = [
        {"role": "user", "content": "What is the weather in Rome?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_doctor1", "content": "18 degrees"},
    ]
    return plan.chat(messages, 64, tools=[WEATHER])


def _json_object(plan: Plan, _: Sights) -> Ask:
    text = 'Answer in JSON: an object with the key "ok" and the value true.'
    return plan.chat(text, 200, response_format={"type": "json_object"})


def _json_schema(plan: Plan, _: Sights) -> Ask:
    form = {"name": "city_report", "strict": True, "schema": CITY_SCHEMA}
    return plan.chat("Rome is warm. Report it.", 120, response_format={"type": "json_schema", "json_schema": form})


def _limit(plan: Plan, _: Sights) -> Ask:
    return plan.chat(QUESTION, 5)


def _choices(plan: Plan, _: Sights) -> Ask:
    return plan.chat("Repeat after me: one", 16, n=2)


def _stop(plan: Plan, sights: Sights) -> Optional[Ask]:
    """The same question as `chat`, to be stopped at a word that its answer had in the middle."""
    word = stop_word(sights)
    return plan.chat(QUESTION, 96, stop=[word]) if word else None


def stop_word(sights: Sights) -> str:
    """A word in the middle of the whole answer that stands there once; "" where there is none."""
    chat = sights.get("chat")
    text = chat.answer_text if chat is not None else ""
    words = [word for word in text.split() if word.isascii() and word.isalpha() and len(word) > 2]
    once = [word for word in words[1:-1] if text.count(word) == 1]
    return once[len(once) // 2] if once else ""


def _embeddings(plan: Plan, _: Sights) -> Optional[Ask]:
    if not plan.embedding_model:
        return None
    return Ask("embeddings", {"model": plan.embedding_model, "input": ["a", "b"], "encoding_format": "float"})


def _embeddings_base64(plan: Plan, _: Sights) -> Optional[Ask]:
    if not plan.embedding_model:
        return None
    return Ask("embeddings", {"model": plan.embedding_model, "input": "a", "encoding_format": "base64"})


def _wrong_key(plan: Plan, _: Sights) -> Ask:
    """With a model that is not there, so that a server which asks for no key writes nothing that costs."""
    payload = {"model": "no-such-model", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    return Ask("chat/completions", payload, key=WRONG_KEY)


def _no_model(plan: Plan, _: Sights) -> Ask:
    payload = {"model": NO_MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    return Ask("chat/completions", {**payload, plan._name("max_tokens") or "max_tokens": 16})


def _no_model_stream(plan: Plan, sights: Sights) -> Ask:
    ask = _no_model(plan, sights)
    return ask._replace(body={**ask.body, "stream": True})


def _bad_json(plan: Plan, _: Sights) -> Ask:
    return Ask("chat/completions", b'{"model": ' + json.dumps(plan.model).encode() + b', "messages": [')


def _no_messages(plan: Plan, _: Sights) -> Ask:
    return Ask("chat/completions", {"model": plan.model})


def _bad_type(plan: Plan, _: Sights) -> Ask:
    ask = plan.chat("Hi", 16)
    return ask._replace(body={**ask.body, "messages": 7})


PROBES: Tuple[Probe, ...] = (
    Probe(
        "models",
        ("models", "chat", "stream", "tools", "json", "parameters", "embeddings", "errors", "connection"),
        "the list of models",
        lambda plan, _: Ask("models"),
    ),
    Probe("chat", ("chat", "stream", "parameters", "connection"), "a question, answered whole", _chat, 96),
    Probe("stream", ("stream", "connection"), "the same question, streamed", _stream, 96),
    Probe("tools", ("tools",), "a question with a tool that must be called", _tools, 160, prompt_tokens=110),
    Probe("tools-stream", ("tools",), "the same, streamed", _tools_stream, 160, prompt_tokens=110),
    Probe("tool-result", ("tools",), "a conversation with a tool's result in it", _tool_result, 64, prompt_tokens=110),
    Probe("json-object", ("json",), "an answer in JSON mode", _json_object, 200),
    Probe("json-schema", ("json",), "an answer by a JSON schema", _json_schema, 120, prompt_tokens=80),
    Probe("limit", ("parameters",), "an answer of at most 5 tokens", _limit, 5),
    Probe("n", ("parameters",), "two choices", _choices, 32, learns=False),
    Probe("stop", ("parameters",), "an answer that is to stop at a word", _stop, 96, learns=False),
    Probe("embeddings", ("embeddings",), "two embeddings", _embeddings, prompt_tokens=2),
    Probe("embeddings-base64", ("embeddings",), "an embedding in base64", _embeddings_base64, prompt_tokens=1),
    Probe("wrong-key", ("errors",), "a wrong key", _wrong_key, learns=False, prompt_tokens=0),
    Probe("no-model", ("errors",), "a model that is not there", _no_model, learns=False, prompt_tokens=0),
    Probe("no-model-stream", ("errors",), "the same, streamed", _no_model_stream, learns=False, prompt_tokens=0),
    Probe("bad-json", ("errors",), "a body that breaks off", _bad_json, learns=False, prompt_tokens=0),
    Probe("no-messages", ("errors",), "no messages", _no_messages, learns=False, prompt_tokens=0),
    Probe("bad-type", ("errors",), "a number in the place of the messages", _bad_type, learns=False, prompt_tokens=0),
    Probe(
        "no-path",
        ("errors",),
        "a path that is not there",
        lambda plan, _: Ask("no-such-path"),
        learns=False,
        prompt_tokens=0,
    ),
)


def chosen(groups: Tuple[str, ...]) -> List[Probe]:
    """The probes that these groups of checks need."""
    return [probe for probe in PROBES if set(probe.groups) & set(groups)]


def choose_models(plan: Plan, models: Optional[Sight]) -> None:
    """Fill in the names that the user left open, from the server's own list."""
    data = models.document.get("data") if models is not None and isinstance(models.document, dict) else None
    offered = [entry["id"] for entry in data or () if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
    plan.model = plan.model or next(filter(is_chat_model, offered), "") or "gpt-4o-mini"
    plan.embedding_model = plan.embedding_model or next((name for name in offered if "embed" in name.lower()), "")


_NO_CHAT = (
    "embed",
    "whisper",
    "tts",
    "dall-e",
    "moderation",
    "audio",
    "realtime",
    "image",
    "rerank",
    "transcribe",
    "davinci",
    "babbage",
    "instruct",
    "codex",
    "search",
    "sora",
    "bge-",
    "-pro",
)


def is_chat_model(name: str) -> bool:
    """Whether a model's name looks like one that chats."""
    return not any(word in name.lower() for word in _NO_CHAT)
