"""What the practice server says: short lessons about the protocol, chosen by the words of the question.

    "What does a 429 mean?"                        the row of TOPICS that knows the word
    "Count to five.", "Echo: ok", "What is 2+2?"   a row of SKILLS, which computes its answer
    "My name is Ada." ... "What is my name?"       read from the messages sent along: nothing is kept between calls
    anything else                                  says plainly what it is, and repeats what it was told

Does not understand language, does not look at the clock, and knows nothing of HTTP: a list of messages goes in, text
comes out, and the same messages always give the same text. Adding a lesson is adding a row.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Pattern, Sequence, Tuple

from .lesson_topics import TOPICS, Topic

Messages = Sequence[Mapping[str, Any]]


WHAT_I_AM = "This is rawchat's practice server, not a model."
# fmt: off
NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)
# fmt: on
OPENERS = ("", "In other words: ", "Once more: ", "Put differently: ", "To say it again: ")
LONGEST_ECHO = 400  # characters of the question that the fallback repeats
MOST_WORDS = 20_000


def text_of(content: Any) -> str:
    """The text of a message's `content`, a string or a list of parts, as well-formed Unicode."""
    if isinstance(content, list):
        parts = (part for part in content if isinstance(part, dict) and part.get("type") == "text")
        content = " ".join(str(part.get("text", "")) for part in parts)
    # JSON may hold half a surrogate pair, which no UTF-8 answer could carry back.
    return str(content or "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def user_texts(messages: Messages) -> List[str]:
    """What the user said, oldest first."""
    return [text_of(message.get("content")) for message in messages if message.get("role") == "user"]


def last_user_text(messages: Messages) -> str:
    """The newest user message as text, or "" if there is none."""
    said = user_texts(messages)
    return said[-1] if said else ""


def _echo(found: re.Match[str], messages: Messages) -> str:
    return found["rest"].strip().strip("\"'“”") or found["rest"]


def _count(found: re.Match[str], messages: Messages) -> str:
    word = found["number"].lower()
    last = NUMBERS.index(word) if word in NUMBERS else min(int(word), MOST_WORDS)
    if last < 1:
        return "There is nothing to count."
    steps = NUMBERS[1 : last + 1] if last < len(NUMBERS) else [str(step) for step in range(1, last + 1)]
    counted = ", ".join(steps) + "."
    return counted[0].upper() + counted[1:]


def _write_words(found: re.Match[str], messages: Messages) -> str:
    """Exactly as many words as asked for: the lessons, one after the other, to try out long streams and limits."""
    wanted = max(1, min(int(found["number"].replace(",", "")), MOST_WORDS))
    words: List[str] = []
    while len(words) < wanted:
        for topic in TOPICS:
            words.extend(topic.text.split())
    return " ".join(words[:wanted]).rstrip(".,:;") + "."


_SIGNS: Dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "x": lambda left, right: left * right,
    "/": lambda left, right: left / right,
}


def _calculate(found: re.Match[str], messages: Messages) -> str:
    left, sign, right = found["left"], found["sign"].lower(), found["right"]
    if sign == "/" and float(right) == 0:
        return "Nothing can be divided by zero."
    return f"{left} {sign} {right} = {_SIGNS[sign](float(left), float(right)):.10g}. I am no model, but sums I can do."


_MY_FACT = r"\bmy (?P<key>[a-z][a-z' -]{0,40}?) (?:is|are|was) (?P<value>[^.,;!?\n]{1,80}?)(?= and my |[.,;!?\n]|$)"
_MY_NAME = r"\b(?:[Ii] am|[Ii]'m|[Cc]all me) (?P<value>[A-Z][\w'-]+)"


def _facts(messages: Messages) -> Dict[str, Tuple[str, int]]:
    """What the user said of themselves in these messages: {"name": ("Ada", number of the message, from 1)}."""
    facts: Dict[str, Tuple[str, int]] = {}
    for number, message in enumerate(messages, 1):
        if message.get("role") != "user":
            continue
        said = text_of(message.get("content"))
        for found in _regex(_MY_FACT).finditer(said):
            facts[_key(found["key"])] = (found["value"].strip(), number)
        for found in _regex(_MY_NAME, True).finditer(said):
            facts["name"] = (found["value"], number)
    return facts


def _key(words: str) -> str:
    return " ".join(words.lower().replace("favorite", "favourite").replace("color", "colour").split())


def _recall(found: re.Match[str], messages: Messages) -> str:
    key = _key(found["key"])
    known = _facts(messages).get(key)
    if known is None:
        return (
            f"You have not told me your {key} in this request, and I see nothing else: no memory is kept between calls."
        )
    value, number = known
    return (
        f"Your {key} is {value}: it stands in message {number} of this request. "
        "I remember nothing myself; the history you send is all I have."
    )


_SEND_AGAIN = "I keep nothing between calls, so send this message along when you ask for it later."


def _note(found: re.Match[str], messages: Messages) -> str:
    return f"Noted: your {_key(found['key'])} is {found['value'].strip()}. {_SEND_AGAIN}"


def _note_name(found: re.Match[str], messages: Messages) -> str:
    return f"Hello, {found['value']}. Your name is noted. {_SEND_AGAIN}"


class Skill(NamedTuple):
    """An answer that is computed: `pattern` is searched in the newest user message."""

    pattern: str
    answer: Callable[[re.Match[str], Messages], str]
    exact_case: bool = False


_NUMBER_WORDS = "|".join(NUMBERS)
_NO_DATE = r"(?!\d|[\w.]\w|[-/]\d)"  # "2026-01-02" is no subtraction
_NUMBER = r"\d{1,12}(?:\.\d{1,9})?"
# These come before the topics: they are requests, in which a word such as "stream" is only mentioned.
SKILLS: Tuple[Skill, ...] = (
    Skill(r"^\s*(?:please )?(?:echo|repeat(?: after me)?|say(?: exactly)?)\b[:,]?\s+(?P<rest>\S[\s\S]*)$", _echo),
    Skill(rf"\bcount (?:from (?:1|one) )?(?:up )?to (?P<number>\d{{1,6}}|{_NUMBER_WORDS})\b", _count),
    Skill(r"\b(?:write|give|tell|say|send)\b[^.?!]*?\b(?P<number>\d[\d,]{0,6}) words\b", _write_words),
    Skill(r"\bwhat(?:.s| is| are| was) my (?P<key>[a-z][a-z' -]{0,40}?)\s*(?:\?|\.|!|$)", _recall),
    Skill(rf"(?<![\w./-])(?P<left>-?{_NUMBER}) ?(?P<sign>[-+*/x]) ?(?P<right>{_NUMBER}){_NO_DATE}", _calculate),
)
# These come after the topics: "my stream is slow" asks about streams.
NOTES: Tuple[Skill, ...] = (
    Skill(_MY_FACT, _note),
    Skill(_MY_NAME, _note_name, exact_case=True),
)


@cache
def _regex(pattern: str, exact_case: bool = False) -> Pattern[str]:
    return re.compile(pattern, 0 if exact_case else re.IGNORECASE)


def find_topic(text: str) -> Optional[Topic]:
    """The first row of TOPICS that knows a word of `text`."""
    for topic in TOPICS:
        # \b does not fit rows that begin or end with a bracket, such as [done].
        if _regex(rf"(?<!\w)(?:{topic.words})(?!\w)").search(text):
            return topic
    return None


def _use_skill(skills: Sequence[Skill], text: str, messages: Messages) -> str:
    for skill in skills:
        found = _regex(skill.pattern, skill.exact_case).search(text)
        if found:
            return skill.answer(found, messages)
    return ""


def _fallback(text: str, messages: Messages) -> str:
    """For everything unknown: what this is, and what arrived."""
    shown = text if len(text) <= LONGEST_ECHO else text[:LONGEST_ECHO] + "…"
    sentences = [WHAT_I_AM, f"You said: “{shown}”." if shown.strip() else "Your message has no text that I could read."]
    rules = [text_of(message.get("content")) for message in messages if message.get("role") in ("system", "developer")]
    if rules:
        sentences.append(f"Your system message says: “{rules[0][:LONGEST_ECHO]}”.")
    earlier = user_texts(messages)[:-1]
    if earlier:
        sentences.append(f"Before that, the first thing you said was: “{earlier[0][:LONGEST_ECHO]}”.")
    sentences.append("Ask me about streams, tokens, retries, tools, costs or embeddings.")
    return " ".join(sentences)


_UNSEEN = {
    "image_url": ("I cannot see your image, though it arrived. ", "I cannot see your {} images, though they arrived. "),
    "input_audio": ("I cannot hear your recording, though it arrived. ", "I cannot hear your {} recordings. "),
    "file": ("I cannot read your file, though it arrived. ", "I cannot read your {} files, though they arrived. "),
}


def _unseen(messages: Messages) -> str:
    """An honest word on parts of the newest message that nobody here looks at."""
    content = next((message.get("content") for message in reversed(messages) if message.get("role") == "user"), None)
    kinds = [part.get("type") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    remarks = []
    for kind, (one, many) in _UNSEEN.items():
        count = kinds.count(kind)
        if count:
            remarks.append(one if count == 1 else many.format(count))
    return "".join(remarks)


def _tool_results(messages: Messages) -> List[Tuple[str, str]]:
    """(name of the tool, its result) for the tool messages at the end of the conversation."""
    results: List[Tuple[str, str]] = []
    names: Dict[str, str] = {}
    for message in messages:
        if message.get("role") in ("tool", "function"):
            name = names.get(str(message.get("tool_call_id"))) or str(message.get("name") or "a tool")
            results.append((name, text_of(message.get("content"))))
            continue
        results = []
        for call in message.get("tool_calls") or ():
            names[str(call.get("id"))] = str((call.get("function") or call.get("custom") or {}).get("name"))
    return results


def answer_tool_results(messages: Messages) -> str:
    """The text that follows tool results: it quotes each of them, so that one can see that they arrived."""
    quotes = [f"{name} answered: {result.strip() or '(nothing)'}" for name, result in _tool_results(messages)]
    quotes = [quote if quote.endswith((".", "!", "?")) else quote + "." for quote in quotes]
    return " ".join(quotes) + " I quote the results as they came; a model would put them into its own words."


def answer(messages: Messages, variant: int = 0) -> str:
    """The answer to a conversation, as text. `variant` is the number of the choice: 1, 2, ... vary the opening."""
    if messages and messages[-1].get("role") in ("tool", "function"):
        text = answer_tool_results(messages)
    else:
        question = last_user_text(messages)
        text = _unseen(messages) + _answer_text(question, messages)
    if variant < len(OPENERS):
        return OPENERS[variant] + text
    return f"For the {variant + 1}th time: {text}"


def _answer_text(question: str, messages: Messages) -> str:
    computed = _use_skill(SKILLS, question, messages)
    if computed:
        return computed
    topic = find_topic(question)
    if topic is not None:
        return topic.text
    return _use_skill(NOTES, question, messages) or _fallback(question, messages)
