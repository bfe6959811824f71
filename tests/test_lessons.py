"""What the practice server says."""

import pytest

from . import module

lessons = module("lab.actor.lessons")
topics = module("lab.actor.lesson_topics")
patterns = module("lab.actor.patterns")


def ask(*said, system=None):
    """The answer to a conversation in which the user said these things, with "ok" between them."""
    messages = [{"role": "system", "content": system}] if system else []
    for text in said:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "ok"}]
    return lessons.answer(messages[:-1])


ANSWERS = [
    ("gradient-descent", "What is gradient descent in one sentence?", "Gradient descent finds a low point"),
    ("count-words", "Count to five.", "One, two, three, four, five."),
    ("count-digits", "count to 22", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22."),
    ("count-nothing", "Count to zero", "There is nothing to count."),
    ("echo", "Echo: Grüße 🎉 [DONE]", "Grüße 🎉 [DONE]"),
    ("echo-several-lines", "repeat after me: a\nb", "a\nb"),
    ("say-quoted", 'Say "hi"', "hi"),
    ("sum", "What is 2+2?", "2 + 2 = 4."),
    ("product", "12 x 12", "12 x 12 = 144."),
    ("quotient", "7/2", "7 / 2 = 3.5."),
    ("by-zero", "7 / 0", "Nothing can be divided by zero."),
    ("date-is-no-sum", "On 2026-01-02", "This is rawchat's practice server, not a model. You said: “On 2026-01-02”."),
    ("particular-before-general", "Is Retry-After about retry?", "Retry-After is the response header"),
    ("rate-limit", "What does a 429 mean?", "429 Too Many Requests means"),
    ("quota", "429 insufficient_quota?", "A 429 with the code insufficient_quota means"),
    ("done", "What is [DONE] for?", "A stream ends with the event data: [DONE]."),
    ("sse", "Explain SSE", "Server-sent events are lines of text"),
    ("streams", "How does streaming work?", "With stream set to true"),
    ("backoff", "why jitter?", "Exponential backoff doubles the wait"),
    ("token", "What is a token?", "A token is the unit"),
    ("temperature", "What does temperature do?", "temperature sets how daring"),
    ("tool", "How do tools work?", "A model cannot run anything"),
    ("cost", "How much does it cost?", "The cost of a call is"),
    ("usage", "Where is usage?", "The usage object counts"),
    ("json", "Tell me about JSON mode", "JSON mode (response_format json_object)"),
    ("embedding", "What is an embedding?", "An embedding is a list of numbers"),
    ("system", "What is a system message?", "The system message comes first"),
    ("hello", "hello", "Hello! I am a practice server"),
    ("word-boundary", "Are hinges machine-made?", "This is rawchat's practice server, not a model."),
    ("mentioned-in-a-note", "my stream is slow", "With stream set to true"),
    ("nothing", "", "This is rawchat's practice server, not a model. Your message has no text that I could read."),
]


@pytest.mark.parametrize(("question", "beginning"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_answers(question, beginning):
    """A question gets the lesson of its most particular word, a task is done, the rest gets an honest word."""
    assert ask(question).startswith(beginning)


def test_there_are_many_topics():
    """Enough to learn the protocol from."""
    assert len(topics.TOPICS) >= 50


@pytest.mark.parametrize("topic", topics.TOPICS, ids=[topic.words for topic in topics.TOPICS])
def test_a_topic_is_found_by_its_own_words(topic):
    """No row hides behind a more general one above it."""
    words = patterns.text_for_pattern(topic.words)
    assert lessons.find_topic(f"Well, {words}?") is topic


@pytest.mark.parametrize("topic", topics.TOPICS, ids=[topic.words for topic in topics.TOPICS])
def test_a_lesson_is_one_to_four_whole_sentences(topic):
    """Lessons are short, begin with something readable and end with a full stop."""
    assert 60 < len(topic.text) < 420
    assert topic.text.endswith(".")
    assert "  " not in topic.text
    assert "\n" not in topic.text


REMEMBERED = [
    ("name", ["My name is Ada.", "What is my name?"], "Your name is Ada: it stands in message 1"),
    (
        "name-in-between",
        ["Hello", "I'm Grace", "count to 3", "What's my name?"],
        "Your name is Grace: it stands in message",
    ),
    (
        "newest-wins",
        ["My name is Ada.", "My name is Eva.", "what is my name"],
        "Your name is Eva: it stands in message 3",
    ),
    (
        "anything",
        ["my favorite color is deep blue, I think", "What is my favourite colour?"],
        "Your favourite colour is deep",
    ),
    ("two-in-one", ["My name is Ada and my dog is Rex.", "What is my dog?"], "Your dog is Rex"),
    ("never-told", ["Hello", "What is my name?"], "You have not told me your name in this request"),
    ("noted", ["My name is Ada."], "Noted: your name is Ada. I keep nothing between calls"),
    ("noted-by-name-only", ["I am Ada"], "Hello, Ada. Your name is noted."),
]


@pytest.mark.parametrize(("said", "beginning"), [row[1:] for row in REMEMBERED], ids=[row[0] for row in REMEMBERED])
def test_what_it_knows_of_the_user_it_reads_from_the_messages(said, beginning):
    """A fact is recalled exactly as long as the message that told it is sent along."""
    assert ask(*said).startswith(beginning)


def test_the_fallback_shows_what_arrived():
    """System message, first message and the question are quoted, so that a lost message is noticed."""
    text = ask("Zebras?", "Giraffes?", system="Be brief.")
    assert "You said: “Giraffes?”." in text
    assert "Your system message says: “Be brief.”." in text
    assert "the first thing you said was: “Zebras?”." in text


def test_parts_are_read_and_what_is_not_text_is_admitted():
    """Text parts count as the question; images, recordings and files are said to be unseen."""
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    content = [{"type": "text", "text": "Count to two."}, image, image, {"type": "file", "file": {"file_id": "f"}}]
    assert lessons.answer([{"role": "user", "content": content}]) == (
        "I cannot see your 2 images, though they arrived. I cannot read your file, though it arrived. One, two."
    )


def test_tool_results_are_quoted():
    """After tool messages the answer names each tool and repeats its result."""
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    other = {"id": "c2", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call, other]},
        {"role": "tool", "tool_call_id": "c2", "content": "noon"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "18 degrees."}]},
    ]
    assert lessons.answer(messages).startswith("get_time answered: noon. get_weather answered: 18 degrees. I quote")


@pytest.mark.parametrize("count", [1, 7, 500, 3000])
def test_as_many_words_as_asked_for(count):
    """Long answers for trying out long streams, to the word."""
    assert len(ask(f"Please write {count} words about rivers.").split()) == count


def test_variants_say_the_same_in_another_guise():
    """Every choice of n is different, and each contains the lesson."""
    texts = [lessons.answer([{"role": "user", "content": "Count to two."}], variant) for variant in range(8)]
    assert len(set(texts)) == 8
    assert all(text.endswith("One, two.") for text in texts)
    assert texts[0] == "One, two."


def test_half_a_surrogate_pair_comes_back_as_a_replacement_character():
    """JSON may hold what UTF-8 may not; the answer is well-formed."""
    assert ask("echo: a\ud83c b") == "a\ufffd b"
    assert ask("echo: \ud83c\udf89") == "🎉"
