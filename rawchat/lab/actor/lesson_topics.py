"""The practice server's lessons, as data: what it says about each word of the protocol that it knows.

A lesson is two things: a line with its words (a regular expression over whole words, in any case), and below it,
indented, two to four sentences. The first lesson whose words occur in a question wins, so the particular
("retry-after") stands above the general ("retry"). Holds no logic beyond reading its own text.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple


class Topic(NamedTuple):
    """One lesson: a regular expression of the words it is about, and the text as one line."""

    words: str
    text: str


_BOOK = r"""
gradient descent
    Gradient descent finds a low point of a function by taking small steps against its gradient, the direction in
    which the function rises fastest, until the steps no longer lower it.

retry-after|retry after
    Retry-After is the response header in which a server says how long to wait before the next attempt: seconds, or
    an HTTP date. OpenAI adds retry-after-ms, which is more exact. A client that waits less is refused again; one
    that waits the stated time usually gets in.

back-?off|back off|jitter
    Exponential backoff doubles the wait after each failure: 0.5 s, 1 s, 2 s, 4 s, up to a cap. Jitter makes each
    wait a little random, so that a thousand clients that failed together do not come back together.

insufficient.quota|quota
    A 429 with the code insufficient_quota means that the account has run out of money or of a monthly limit, not
    that you were too fast. No wait of seconds cures it, so a client must fail at once instead of retrying.

429|rate.limit\w*|too many requests
    429 Too Many Requests means that you sent more requests or tokens in a minute than your account may. Wait as
    long as Retry-After says, or back off exponentially where it is missing, and send the same request again. The
    x-ratelimit-remaining headers tell you beforehand how near the limit is.

401|403|api.keys?|unauthori[sz]ed|authentication
    The API key travels in one header: Authorization: Bearer, a space, the key. 401 means that the key is missing or
    wrong, 403 that it is known but may not do this; neither is cured by trying again.

400|bad request
    400 Bad Request means that the request itself is at fault: a parameter of the wrong type, a missing message, a
    prompt that is too long. The body holds an error object whose param names the culprit. Sending the same bytes
    again gives the same answer.

404|not found
    404 on this API has two usual causes: a model name that does not exist or is not yours, and a base URL that
    lacks its /v1 or already contains /chat/completions. The error object's code tells them apart: model_not_found,
    or nothing.

5\d\d|5xx|server errors?|overload\w*
    A status of 500 or above is the server's fault: 500 broke inside, 502 and 504 came from a proxy in front, 503
    and 529 mean overloaded. All of them are worth retrying after a backoff, because the next attempt may meet a
    healthier machine.

idempot\w*
    A chat completion changes nothing on the server, so sending it twice is safe, but it is billed twice. That is
    why a client retries before the first byte of an answer and not after it has handed text to you.

retry|retries|retrying
    Retry what may pass: a lost connection, 408, 409, 429 and everything from 500 up. Do not retry what is wrong for
    good: 400, 401, 403, 404, 422, or a 429 whose code is insufficient_quota.

time-?outs?|time out|deadlines?
    A read timeout limits the silence between two pieces of an answer, not the whole call: one byte a minute never
    trips a timeout of two minutes. A deadline limits everything, attempts and waits included, and is usually what
    people mean.

\[done\]|done marker|done sentinel
    A stream ends with the event data: [DONE]. It is not JSON, so look at it before parsing. If the connection
    closes without it, and no finish_reason came either, the answer was cut short.

finish.reasons?
    finish_reason says why the text ended: stop (done, or a stop sequence was met), length (the token limit cut it),
    tool_calls (it wants a tool run), or content_filter. In a stream it is null until the last chunk of each choice.

include.usage|stream.options|usage chunk
    A stream tells its token counts only when asked: stream_options with include_usage set to true. They come in one
    more chunk before [DONE] whose choices list is empty, so code that reads choices[0] without looking breaks
    there.

sse|server.sent|event.?streams?
    Server-sent events are lines of text over one long HTTP response: data: and a value, ended by an empty line.
    Lines may end in CR, LF or both, lines beginning with a colon are comments, and a read from the socket may stop
    anywhere, even inside a character.

interrupt\w*|truncat\w*|cut off|cut short
    A stream that closes with neither a finish_reason nor [DONE] was cut, even if the connection ended politely.
    Raise an error, keep the text that arrived, and never hand half an answer on as a whole one.

deltas?|chunks?
    Each streamed chunk carries a delta: only what is new since the last one. The first delta has the role, the next
    ones have pieces of content or of tool-call arguments, the last is empty and comes with finish_reason. Joined in
    order they give the whole message.

chunked|transfer.encoding|content.length
    HTTP/1.1 sends a body of unknown length in chunks, each with its size in front and a chunk of size zero at the
    end. These are not the chunks of the chat API: one HTTP chunk may hold half an event or five.

stream(?:s|ed|ing)?
    With stream set to true the server sends the answer as it is made: a series of server-sent events, each with one
    JSON chunk, and [DONE] at the end. You see the first words after a fraction of a second instead of waiting for
    the last.

keep.?alive|connection reuse|connection pool\w*
    Opening a connection costs a TCP and a TLS handshake, often more than 100 ms. Keep-alive uses one connection for
    many requests, but only if every response is read to its end: also a stream, beyond its [DONE].

gzip|compress\w*
    A client that sends Accept-Encoding: gzip may get a compressed body, event streams included. Decompress as the
    bytes come: waiting for more input than one event holds back text that has already arrived.

utf-?8|unicode|emojis?|mojibake
    Event streams are UTF-8 whatever the Content-Type says, and one character takes up to four bytes. A read may end
    between them, so decode whole lines, not single reads.

max.tokens|max.completion.tokens|token limits?
    max_completion_tokens caps what may be generated; when it is reached, finish_reason is length and the text stops
    in mid-sentence. max_tokens is its older name, and reasoning models refuse it. Reasoning tokens count too, so a
    small cap can leave no room for an answer.

context (?:length|window|limit)|context.length.exceeded
    The context window is the number of tokens that prompt and answer may have together. A longer prompt is refused
    with 400 and the code context_length_exceeded; drop old messages, but keep a tool call together with its
    results.

logprobs?|probabilit\w*
    With logprobs set to true every token of the answer comes with the logarithm of its probability: 0 is certain,
    -0.7 is even odds. top_logprobs adds up to 20 alternatives that were considered at that place.

tokens?|tokeni[sz]\w*
    A token is the unit a model reads and writes: a common word, a part of a rare one, or a punctuation mark; in
    English about four characters. Limits and prices count tokens, not words, and the usage object of each answer
    says how many there were.

temperature
    temperature sets how daring the choice of the next token is: 0 takes the likeliest nearly always, 1 follows the
    model's own odds, and up to 2 flattens them. Reasoning models accept only the default of 1 and answer anything
    else with 400.

top.p|nucleus
    top_p keeps only the likeliest tokens whose probabilities add up to p, and draws from those. Change it or the
    temperature, not both: their effects are hard to tell apart.

seeds?|determinis\w*|reproducib\w*
    A seed asks the server to make the same choices again for the same request. It is a best effort: when
    system_fingerprint changes, the machinery has changed, and so may the answer. This practice server is
    deterministic without one.

stop (?:sequences?|strings?|words?)
    A stop sequence ends the answer where it would have appeared; the sequence itself is not sent, and finish_reason
    is stop. Up to four may be given, as a string or a list.

(?:json )?schemas?|structured outputs?|response.format
    With response_format json_schema the answer follows your schema exactly. In strict mode every object must forbid
    additional properties and list all its properties as required; an optional value is written as a type that may
    be null. Check for a refusal and for finish_reason length before parsing.

json
    JSON mode (response_format json_object) promises syntax, not content: the answer is one JSON object, whose keys
    are up to the prompt. The API refuses it with 400 unless the word JSON stands somewhere in the messages, and a
    token limit can still cut the object in two.

tool.?choice
    tool_choice steers the use of tools: auto lets the model decide, none forbids it, required forces some tool, and
    naming one forces that one. Without a list of tools the parameter is refused.

tools?|function.call\w*|tool.call\w*
    A model cannot run anything: it answers with tool_calls, each with an id, a name, and arguments as a string of
    JSON. You run the function and send the result back as a message with role tool and the same tool_call_id; then
    the model goes on.

embeddings?|vectors?|cosine
    An embedding is a list of numbers that stands for a text, made so that texts alike in meaning point in similar
    directions. The vectors have length one, so the dot product of two of them is their cosine similarity.

system (?:messages?|prompts?)|developer messages?
    The system message comes first and sets the rules for the whole conversation: tone, task, limits. Newer models
    call the role developer. It is sent with every request, so it is paid for every time.

roles?
    Each message has a role: system or developer for your rules, user for the person, assistant for the model's
    answers, tool for the results of tool calls. You send assistant messages back yourself, since the server
    remembers nothing.

memory|history|conversations?|stateless
    The API has no memory: each request carries the whole conversation, and the model sees nothing else. To
    continue, append the answer and the next question to the list and send all of it, which is why long
    conversations cost more with every turn.

reasoning|thinking
    A reasoning model writes hidden tokens before it answers. You do not see them, but they are billed as output and
    counted in completion_tokens_details.reasoning_tokens. reasoning_effort sets how many it may spend.

cach(?:e|ed|ing)
    Providers keep the processed beginning of a prompt for a while; when the next prompt begins with the same
    tokens, they are cheaper. usage.prompt_tokens_details.cached_tokens says how many; they are a part of
    prompt_tokens, not an addition.

budgets?
    A budget is a limit in money that is checked before a request is sent, because afterwards the money is gone. It
    needs a price for the model: where none is known, guessing would be worse than refusing.

costs?|prices?|pricing|bill(?:s|ing|ed)?
    The cost of a call is prompt tokens times the input price plus completion tokens times the output price, both
    quoted per million tokens. Output usually costs four to eight times as much as input. Failed requests with an
    error status cost nothing.

usage
    The usage object counts what was billed: prompt_tokens, completion_tokens and their sum. Its details are parts
    of those numbers, cached tokens of the prompt and reasoning tokens of the completion, and must not be added
    again.

base.?url|endpoints?
    The base URL ends in /v1 for most servers, and the client adds /chat/completions. Point it at another host and
    the same code speaks to another provider, a local model, or this practice server.

azure
    Azure serves the same API under another address: the deployment's name stands in the path, api-version in the
    query, and the key in a header called api-key. Its streams begin with a chunk whose choices are empty.

request.?ids?
    Every response carries an x-request-id header. Write it to your log: it is the one thing a provider's support
    asks for.

headers?
    Three request headers do the work: Authorization with the key, Content-Type: application/json, and Accept. In
    the response, look at content-type, retry-after, x-request-id and the x-ratelimit family.

batch(?:es|ing)?
    For many requests without hurry there is a batch API: upload a file with one JSON request per line, and fetch
    the results within a day for half the price. In a hurry, send requests side by side and let the rate-limit
    headers set the pace.

redirects?
    A redirect turns a POST into a GET in most HTTP libraries, and may carry your key to another host. A careful
    client does not follow it, and tells you the address instead so that you can correct the base URL.

prox(?:y|ies)
    A proxy between you and the server may buffer a whole stream, change its line ends, or answer with an HTML page
    of its own. If all events arrive at once, suspect it first.

hallucinat\w*
    A language model writes what is likely, and a likely sentence need not be a true one. Give it the facts in the
    prompt, ask for sources, and check what matters.

faults?
    This server can misbehave on purpose. Put a fault into the model name, such as fault/429x2 or fault/cut@3, and
    see what your client makes of it; at the end the server tells you its verdict.

choices?|candidates?
    With n set to 3 you get three answers to one prompt, as choices 0, 1 and 2; the prompt is billed once, each
    answer in full. In a stream their chunks come interleaved, so sort them by index.

curl
    curl shows the protocol at its barest: -N switches its buffering off so that events appear as they come, -i
    prints the response headers, and --data-binary sends the JSON as it is.

http
    A chat completion is one HTTP request: POST to /v1/chat/completions, the key in a header, JSON in the body. The
    answer is JSON again, or an event stream if you asked for one. That is the whole protocol.

api
    The chat completions API takes a list of messages and returns the next one. It keeps no state between calls,
    which makes it simple to speak with nothing but an HTTP library.

thanks?|thank you
    You are welcome. Ask on: each question is a new request, and this one is already forgotten here.

hello|hi|hey|good (?:morning|evening|day)
    Hello! I am a practice server: your request came in over HTTP, and this answer went out the same way. Ask me
    about streams, tokens, retries, tools or costs.
"""


def _read(book: str) -> Tuple[Topic, ...]:
    lessons = (lesson.split("\n", 1) for lesson in book.strip().split("\n\n"))
    return tuple(Topic(words, " ".join(text.split())) for words, text in lessons)


TOPICS: Tuple[Topic, ...] = _read(_BOOK)
