"""Programs written against the documented surface of the `openai` package, with its own import lines and nothing of ours.

Each is a function of the server's root URL. OPENAI_BASE_URL and OPENAI_API_KEY are set. What a program finds wrong, it says by an
assertion. tests/test_sdk_programs.py runs them with `openai` replaced, and with the real one where that is installed, which shows
that they are programs of that package. An async one is a coroutine function.
"""

import json

HELLO = [{"role": "user", "content": "hello"}]
MODEL = "gpt-4o-mini"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
QUESTION = [{"role": "user", "content": "What is the weather in Paris and in Tokyo?"}]


def chat(root):
    """The first example of the package's README."""
    from openai import OpenAI

    client = OpenAI()
    completion = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[
            {"role": "developer", "content": "Talk like a pirate."},
            {"role": "user", "content": "How do I check if a Python object is an instance of a class?"},
        ],
        temperature=0.5,
        max_tokens=64,
    )
    assert completion.choices[0].message.content
    assert completion.choices[0].message.role == "assistant"
    assert completion.choices[0].finish_reason in ("stop", "length")
    assert completion.object == "chat.completion"
    assert completion.id.startswith("chatcmpl-")
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    assert completion._request_id.startswith("req_")


def several_choices(root):
    """n, seed, stop, logprobs."""
    from openai import OpenAI

    completion = OpenAI().chat.completions.create(
        model=MODEL, messages=HELLO, n=2, seed=7, stop=["zebra"], logprobs=True, top_logprobs=2
    )
    assert [choice.index for choice in completion.choices] == [0, 1]
    first = completion.choices[0].logprobs.content[0]
    assert isinstance(first.logprob, float) and isinstance(first.token, str)
    assert len(first.top_logprobs) == 2


def streaming_loop(root):
    """The loop of every tutorial."""
    from openai import OpenAI

    stream = OpenAI().chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    text = ""
    for chunk in stream:
        assert chunk.object == "chat.completion.chunk"
        if chunk.choices[0].delta.content is not None:
            text += chunk.choices[0].delta.content
    assert text.startswith("Hello")


def streaming_with_usage(root):
    """The last chunk has no choices."""
    from openai import OpenAI

    stream = OpenAI().chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-2].choices[0].finish_reason == "stop"


def streaming_without_usage(root):
    """Nothing is asked for that the program did not ask for."""
    from openai import OpenAI

    assert all(chunk.choices for chunk in OpenAI().chat.completions.create(model=MODEL, messages=HELLO, stream=True))


def leaving_a_stream(root):
    """By a with block, by close, by next."""
    from openai import OpenAI

    client = OpenAI()
    with client.chat.completions.create(model=MODEL, messages=HELLO, stream=True) as stream:
        first = next(stream)
        for chunk in stream:
            assert chunk.id == first.id
            break
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert next(iter(stream)).choices[0].delta.role == "assistant"
    stream.close()


def tool_loop(root):
    """Calls answered and sent back with the message that made them."""
    from openai import OpenAI

    client = OpenAI()
    messages = list(QUESTION)
    response = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], tool_choice="auto")
    message = response.choices[0].message
    assert response.choices[0].finish_reason == "tool_calls"
    messages.append(message)
    for call in message.tool_calls:
        assert call.type == "function" and call.function.name == "get_weather"
        city = json.loads(call.function.arguments)["city"]
        messages.append({"role": "tool", "tool_call_id": call.id, "content": f"18 degrees in {city}"})
    assert len(message.tool_calls) == 2
    final = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert "18 degrees" in final.choices[0].message.content


def tool_message_by_hand(root):
    """The assistant's message rebuilt as a dict, its tool_calls still objects; and as model_dump() gives it."""
    from openai import OpenAI

    client = OpenAI()
    message = client.chat.completions.create(model=MODEL, messages=QUESTION, tools=[WEATHER]).choices[0].message
    answers = [{"role": "tool", "tool_call_id": call.id, "content": "warm"} for call in message.tool_calls]
    for assistant in (
        {"role": "assistant", "content": message.content, "tool_calls": message.tool_calls},
        message.model_dump(exclude_none=True),
        message.to_dict(),
    ):
        final = client.chat.completions.create(model=MODEL, messages=[*QUESTION, assistant, *answers], tools=[WEATHER])
        assert final.choices[0].message.content


def tool_calls_streamed(root):
    """Fragments joined by index, as the guides do it."""
    from openai import OpenAI

    stream = OpenAI().chat.completions.create(model=MODEL, messages=QUESTION, tools=[WEATHER], stream=True)
    calls = {}
    for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or []:
            held = calls.setdefault(call.index, {"id": None, "name": "", "arguments": ""})
            held["id"] = call.id or held["id"]
            held["name"] = call.function.name or held["name"]
            held["arguments"] += call.function.arguments or ""
    assert [json.loads(call["arguments"]) for call in calls.values()] == [{"city": "Paris"}, {"city": "Tokyo"}]
    assert all(call["id"] and call["name"] == "get_weather" for call in calls.values())


def vision(root):
    """A picture as a URL among the parts."""
    from openai import OpenAI

    response = OpenAI().chat.completions.create(
        model=MODEL,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is in this image?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
                ],
            }
        ],
    )
    assert response.choices[0].message.content


def json_schema(root):
    """Structured output by a schema as a dict, parsed by the program."""
    from openai import OpenAI

    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "stars": {"type": "integer"}},
        "required": ["title", "stars"],
        "additionalProperties": False,
    }
    response = OpenAI().chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Review the film."}],
        response_format={"type": "json_schema", "json_schema": {"name": "review", "strict": True, "schema": schema}},
    )
    review = json.loads(response.choices[0].message.content)
    assert isinstance(review["title"], str) and isinstance(review["stars"], int)


def json_mode(root):
    """response_format json_object."""
    from openai import OpenAI

    response = OpenAI().chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "A colour as JSON, please."}],
        response_format={"type": "json_object"},
    )
    assert isinstance(json.loads(response.choices[0].message.content), dict)


def parse_pydantic(root):
    """Structured output as a pydantic model, by both paths."""
    from typing import List

    from openai import OpenAI
    from pydantic import BaseModel

    class Step(BaseModel):
        explanation: str
        output: str

    class MathResponse(BaseModel):
        steps: List[Step]
        final_answer: str

    client = OpenAI()
    for parse in (client.chat.completions.parse, client.beta.chat.completions.parse):
        completion = parse(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "solve 8x + 31 = 2"}],
            response_format=MathResponse,
        )
        message = completion.choices[0].message
        assert isinstance(message.parsed, MathResponse)
        assert message.parsed == MathResponse.model_validate_json(message.content)
        assert all(isinstance(step, Step) for step in message.parsed.steps)
        assert not message.refusal


def parse_tools(root):
    """Tools as pydantic models, their arguments parsed."""
    import openai
    from openai import OpenAI
    from pydantic import BaseModel

    class GetWeather(BaseModel):
        """The weather of a city."""

        city: str

    tool = openai.pydantic_function_tool(GetWeather, name="get_weather")
    assert tool["function"]["strict"] is True and tool["function"]["description"] == "The weather of a city."
    completion = OpenAI().chat.completions.parse(model=MODEL, messages=QUESTION, tools=[tool])
    calls = completion.choices[0].message.tool_calls
    assert [call.function.parsed_arguments for call in calls] == [GetWeather(city="Paris"), GetWeather(city="Tokyo")]
    completion = OpenAI().chat.completions.parse(model=MODEL, messages=QUESTION, tools=[WEATHER])
    assert completion.choices[0].message.tool_calls[0].function.parsed_arguments == {"city": "Paris"}


def parse_wants_strict_tools(root):
    """A tool that is not strict cannot be parsed."""
    import pytest
    from openai import OpenAI

    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    with pytest.raises(ValueError, match="strict"):
        OpenAI().chat.completions.parse(model=MODEL, messages=HELLO, tools=[tool])


def parse_cut_off(root):
    """The documented way to notice it."""
    import openai
    from openai import OpenAI
    from pydantic import BaseModel

    class Review(BaseModel):
        title: str
        stars: int

    try:
        OpenAI().chat.completions.parse(model=MODEL, messages=HELLO, response_format=Review, max_tokens=1)
    except openai.LengthFinishReasonError as error:
        assert error.completion.choices[0].finish_reason == "length"
        assert error.completion.usage.completion_tokens == 1
        assert isinstance(error, openai.OpenAIError)
    else:
        raise AssertionError("an answer of one token was parsed")


def a_type_belongs_to_parse(root):
    """create() takes dicts."""
    import pytest
    from openai import OpenAI
    from pydantic import BaseModel

    class Review(BaseModel):
        title: str

    with pytest.raises(TypeError, match="parse"):
        OpenAI().chat.completions.create(model=MODEL, messages=HELLO, response_format=Review)


def stream_helper(root):
    """Events of a plain text."""
    from openai import OpenAI

    with OpenAI().chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        text, kinds = "", []
        for event in stream:
            kinds.append(event.type)
            if event.type == "content.delta":
                text += event.delta
                assert event.snapshot == text
            elif event.type == "content.done":
                assert event.content == text
            elif event.type == "chunk":
                assert event.snapshot.choices[0].message.role == "assistant"
        completion = stream.get_final_completion()
    assert completion.choices[0].message.content == text
    assert set(kinds) == {"chunk", "content.delta", "content.done"}
    assert kinds.count("content.done") == 1 and kinds[-1] == "content.done"
    assert stream.current_completion_snapshot.choices[0].message.content == text


def stream_helper_until_done(root):
    """Without looking at events; usage where asked for."""
    from openai import OpenAI

    with OpenAI().chat.completions.stream(
        model=MODEL, messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        completion = stream.until_done().get_final_completion()
    assert completion.usage.total_tokens > 0
    assert completion.choices[0].finish_reason == "stop"
    assert completion.object == "chat.completion"


def stream_helper_tools(root):
    """Arguments as they come, each call done once."""
    from openai import OpenAI

    done, grown = [], {}
    with OpenAI().chat.completions.stream(model=MODEL, messages=QUESTION, tools=[WEATHER]) as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.delta":
                grown[event.index] = grown.get(event.index, "") + event.arguments_delta
                assert event.arguments == grown[event.index]
                assert event.name == "get_weather"
            elif event.type == "tool_calls.function.arguments.done":
                done.append((event.index, event.name, event.arguments, event.parsed_arguments))
    cities = [{"city": "Paris"}, {"city": "Tokyo"}]
    assert [(index, json.loads(text), parsed) for index, _, text, parsed in done] == [
        (place, city, city) for place, city in enumerate(cities)
    ]
    final = stream.get_final_completion()
    assert [call.function.parsed_arguments for call in final.choices[0].message.tool_calls] == cities


def stream_helper_parse(root):
    """Structured output, streamed: what is complete as it grows, and the model at the end."""
    from openai import OpenAI
    from pydantic import BaseModel

    class Review(BaseModel):
        title: str
        stars: int

    with OpenAI().chat.completions.stream(model=MODEL, messages=HELLO, response_format=Review) as stream:
        partial = []
        for event in stream:
            if event.type == "content.delta":
                partial.append(event.parsed)
            elif event.type == "content.done":
                assert isinstance(event.parsed, Review)
    final = stream.get_final_completion().choices[0].message
    assert isinstance(final.parsed, Review)
    assert partial[-1] == final.parsed.model_dump()
    assert all(piece is None or set(piece) <= {"title", "stars"} for piece in partial)


def stream_state_by_hand(root):
    """The helper's state alone, fed with the chunks of create(stream=True)."""
    from openai import OpenAI
    from openai.lib.streaming.chat import ChatCompletionStreamState

    state = ChatCompletionStreamState()
    for chunk in OpenAI().chat.completions.create(model=MODEL, messages=HELLO, stream=True):
        state.handle_chunk(chunk)
    assert state.get_final_completion().choices[0].message.content.startswith("Hello")


def embeddings(root):
    """Floats, in order; base64 where asked for."""
    from openai import OpenAI

    client = OpenAI()
    response = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"], dimensions=8)
    assert [item.index for item in response.data] == [0, 1]
    assert all(len(item.embedding) == 8 and isinstance(item.embedding[0], float) for item in response.data)
    assert response.usage.total_tokens > 0
    floats = client.embeddings.create(
        model="text-embedding-3-small", input="one", dimensions=8, encoding_format="float"
    )
    assert all(abs(a - b) < 1e-6 for a, b in zip(floats.data[0].embedding, response.data[0].embedding))
    text = client.embeddings.create(model="text-embedding-3-small", input="one", encoding_format="base64")
    assert isinstance(text.data[0].embedding, str)


def models(root):
    """List, loop, pages, one."""
    from openai import OpenAI

    client = OpenAI()
    page = client.models.list()
    names = [model.id for model in page.data]
    assert MODEL in names
    assert [model.id for model in client.models.list()] == names
    assert not page.has_next_page()
    assert [len(each.data) for each in page.iter_pages()] == [len(names)]
    model = client.models.retrieve(MODEL)
    assert (model.id, model.object) == (MODEL, "model")


def errors(root):
    """Every status has its class, and each error its attributes."""
    import openai
    from openai import OpenAI

    client = OpenAI(max_retries=0)
    for status, kind in {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        409: openai.ConflictError,
        422: openai.UnprocessableEntityError,
        429: openai.RateLimitError,
        500: openai.InternalServerError,
        503: openai.InternalServerError,
    }.items():
        try:
            client.chat.completions.create(model=f"fault/{status}", messages=HELLO)
        except openai.APIStatusError as error:
            assert type(error) is kind, (status, error)
            assert error.status_code == status == error.response.status_code
            assert error.response.headers["X-Request-Id"] == error.request_id
            assert error.response.json()["error"]["message"] == error.body["message"]
            assert str(error.response.request.url) == str(error.request.url)
            assert str(error.request.url).endswith("/v1/chat/completions") and error.request.method == "POST"
            assert error.body["message"] in error.message and error.body["message"] in str(error)
            assert isinstance(error, openai.APIError) and isinstance(error, openai.OpenAIError)
        else:
            raise AssertionError(f"{status} was no error")


def error_facts(root):
    """code, param and type of the error object."""
    import openai
    from openai import OpenAI

    try:
        OpenAI().chat.completions.create(model=MODEL, messages=HELLO, temperature=9)
    except openai.BadRequestError as error:
        assert error.param == "temperature"
        assert error.type == "invalid_request_error"
        assert error.code is None or isinstance(error.code, str)
    else:
        raise AssertionError("a temperature of 9 was taken")


def except_clauses(root):
    """The chain of the README: connection, rate limit, any other status."""
    import openai
    from openai import OpenAI

    client = OpenAI(max_retries=0)
    caught = []
    for model in ("fault/429", "fault/413", "fault/close-head"):
        try:
            client.chat.completions.create(model=model, messages=HELLO)
        except openai.APIConnectionError as error:
            caught.append("connection")
            assert error.__cause__ is not None
            assert str(error.request.url).endswith("/chat/completions")
        except openai.RateLimitError:
            caught.append("rate")
        except openai.APIStatusError as error:
            caught.append(error.status_code)
    assert caught == ["rate", 413, "connection"]


def nobody_listens(root):
    """A refused connection."""
    import socket

    import pytest
    from openai import APIConnectionError, OpenAI

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(APIConnectionError):
        OpenAI(base_url=f"http://127.0.0.1:{port}/v1", max_retries=0).models.list()


def timeouts(root):
    """Per client, per call, as a Timeout; APITimeoutError is an APIConnectionError."""
    import openai
    from openai import OpenAI

    client = OpenAI(max_retries=0)
    for call in (
        client.with_options(timeout=0.05).chat.completions.create,
        lambda **given: client.chat.completions.create(timeout=0.05, **given),
        OpenAI(max_retries=0, timeout=openai.Timeout(5.0, read=0.05)).chat.completions.create,
    ):
        try:
            call(model="fault/stall-head", messages=HELLO)
        except openai.APITimeoutError as error:
            assert isinstance(error, openai.APIConnectionError)
        else:
            raise AssertionError("a server that says nothing was waited for")


def retries(root):
    """Two by default, counted; none where none are wanted."""
    import openai
    from openai import OpenAI

    client = OpenAI()
    raw = client.chat.completions.with_raw_response.create(model="fault/429x1=retry-after:0.01", messages=HELLO)
    assert raw.retries_taken == 1
    assert raw.parse().choices[0].message.content
    try:
        client.with_options(max_retries=0).chat.completions.create(model="fault/500x1", messages=HELLO)
    except openai.InternalServerError:
        pass
    else:
        raise AssertionError("tried again")


def raw_response(root):
    """Head and body, and the result."""
    from openai import OpenAI

    response = OpenAI().chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    assert response.status_code == 200
    assert response.headers["x-request-id"] == response.request_id == response.headers.get("X-Request-ID")
    assert response.http_response.status_code == 200
    assert json.loads(response.text)["id"] == response.parse().id == json.loads(response.content)["id"]
    assert response.method == "POST" and str(response.url).endswith("/chat/completions")
    assert response.elapsed.total_seconds() >= 0
    models = OpenAI().with_raw_response.models.list()
    assert MODEL in [model.id for model in models.parse()]


def raw_stream(root):
    """with_raw_response of a stream: the head, then the chunks."""
    from openai import OpenAI

    response = OpenAI().chat.completions.with_raw_response.create(model=MODEL, messages=HELLO, stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    text = "".join(chunk.choices[0].delta.content or "" for chunk in response.parse())
    assert text.startswith("Hello")


def streaming_response(root):
    """The body by lines and by bytes, as it comes."""
    from openai import OpenAI

    client = OpenAI()
    with client.chat.completions.with_streaming_response.create(model=MODEL, messages=HELLO) as response:
        assert response.headers.get("X-Request-Id")
        assert json.loads("\n".join(response.iter_lines()))["object"] == "chat.completion"
    with client.chat.completions.with_streaming_response.create(model=MODEL, messages=HELLO) as response:
        assert response.parse().choices[0].message.content
        assert response.json()["object"] == "chat.completion"
    with client.chat.completions.with_streaming_response.create(model=MODEL, messages=HELLO, stream=True) as response:
        lines = [line for line in response.iter_lines() if line]
    assert lines[0].startswith("data: {") and lines[-1] == "data: [DONE]"
    with client.chat.completions.with_streaming_response.create(model=MODEL, messages=HELLO, stream=True) as response:
        assert b"".join(response.iter_bytes()).endswith(b"data: [DONE]\n\n")
    with client.chat.completions.with_streaming_response.create(model=MODEL, messages=HELLO, stream=True) as response:
        assert len(list(response.parse())) > 2


def extras(root):
    """extra_headers, extra_query and extra_body; omit and NOT_GIVEN leave out, None is sent."""
    from openai import NOT_GIVEN, OpenAI, omit

    client = OpenAI(default_headers={"X-Team": "a", "X-Gone": "b"}, default_query={"tenant": "7"})
    completion = client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        extra_headers={"X-Call": "1", "X-Gone": omit},
        extra_query={"trace": "on"},
        extra_body={"store": False},
        temperature=omit,
        tools=NOT_GIVEN,
        stop=None,
    )
    assert completion.id


def options(root):
    """A copy with other options leaves the first as it was, and merges headers."""
    from openai import OpenAI

    client = OpenAI(max_retries=1, default_headers={"X-A": "1"}, organization="org", project="proj")
    other = client.with_options(max_retries=4, default_headers={"X-B": "2"})
    assert (client.max_retries, other.max_retries) == (1, 4)
    assert (other.organization, other.project, other.api_key) == ("org", "proj", client.api_key)
    assert str(client.base_url) == str(other.base_url) == f"{root}/v1/"
    assert other.chat.completions.create(model=MODEL, messages=HELLO).id
    with client.copy(timeout=5) as short:
        assert short.models.retrieve(MODEL).id == MODEL


def results_are_objects(root):
    """Fields that are missing are None; back to dict and JSON; equality; a copy."""
    from openai import OpenAI
    from openai.types.chat import ChatCompletion, ChatCompletionMessage

    completion = OpenAI().chat.completions.create(model=MODEL, messages=HELLO)
    assert isinstance(completion, ChatCompletion)
    assert isinstance(completion.choices[0].message, ChatCompletionMessage)
    assert completion.choices[0].message.tool_calls is None
    assert completion.choices[0].message.function_call is None
    assert completion.model_dump()["choices"][0]["message"]["tool_calls"] is None
    assert "tool_calls" not in completion.to_dict()["choices"][0]["message"]
    assert json.loads(completion.model_dump_json()) == completion.model_dump()
    assert json.loads(completion.to_json()) == completion.to_dict()
    assert completion.model_dump(exclude={"usage"}, exclude_none=True).keys().isdisjoint({"usage", "metadata"})
    assert completion == completion.model_copy(deep=True)
    assert completion != completion.model_copy(update={"id": "other"})
    assert dict(completion.usage)["total_tokens"] == completion.usage.total_tokens
    assert repr(completion).startswith(
        f"ChatCompletion(id='{completion.id}', choices=[Choice(finish_reason='stop', index=0,"
    )
    message = ChatCompletionMessage(role="assistant", content="made by hand")
    assert (message.content, message.refusal) == ("made by hand", None)


def azure(root):
    """By endpoint and deployment, by endpoint alone, with a token."""
    from openai import AzureOpenAI

    for arguments in (
        {"azure_endpoint": root, "azure_deployment": MODEL, "api_key": "azure-key"},
        {"azure_endpoint": root, "api_key": "azure-key"},
        {"azure_endpoint": root, "azure_ad_token": "token"},
        {"azure_endpoint": root, "azure_ad_token_provider": lambda: "fresh"},
        {"base_url": f"{root}/openai/deployments/{MODEL}", "api_key": "azure-key"},
    ):
        client = AzureOpenAI(api_version="2024-10-21", **arguments)
        completion = client.chat.completions.create(model=MODEL, messages=HELLO)
        assert completion.model.startswith(MODEL)


def azure_wants_a_version(root):
    """api_version or OPENAI_API_VERSION."""
    import pytest
    from openai import AzureOpenAI

    with pytest.raises(ValueError, match="OPENAI_API_VERSION"):
        AzureOpenAI(azure_endpoint=root, api_key="k")


def module_as_client(root):
    """`import openai` and no client of one's own."""
    import openai

    openai.api_key = "sk-module-level"
    openai.base_url = f"{root}/v1/"
    try:
        assert openai.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message.content
        assert openai.models.list().data
    finally:
        openai.api_key = openai.base_url = None


def low_level(root):
    """Endpoints without a method."""
    from openai import OpenAI

    client = OpenAI()
    found = client.post("/chat/completions", cast_to=object, body={"model": MODEL, "messages": HELLO})
    assert found["object"] == "chat.completion"
    assert client.get("/models", cast_to=object)["object"] == "list"


def missing_arguments(root):
    """messages and model are required."""
    import pytest
    from openai import OpenAI

    with pytest.raises(TypeError):
        OpenAI().chat.completions.create(model=MODEL)
    with pytest.raises(TypeError):
        OpenAI().chat.completions.create(messages=HELLO)


# ---- async


async def async_chat(root):
    """Awaited, and closed by the block."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI() as client:
        completion = await client.chat.completions.create(model=MODEL, messages=HELLO)
        assert completion.choices[0].message.content.startswith("Hello")
        assert completion._request_id.startswith("req_")


async def async_streaming(root):
    """async for over an awaited stream; left early; by a with block."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI() as client:
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert text.startswith("Hello")
        async with await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True) as stream:
            async for chunk in stream:
                assert chunk.choices
                break
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        await stream.close()


async def async_gather(root):
    """Many at once."""
    import asyncio

    from openai import AsyncOpenAI

    async with AsyncOpenAI() as client:
        asked = [client.chat.completions.create(model=MODEL, messages=HELLO) for _ in range(20)]
        answers = await asyncio.gather(*asked)
    assert len({answer.id for answer in answers}) == 20


async def async_stream_helper(root):
    """Events, awaited."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI() as client:
        async with client.chat.completions.stream(model=MODEL, messages=QUESTION, tools=[WEATHER]) as stream:
            done = [
                event.parsed_arguments async for event in stream if event.type == "tool_calls.function.arguments.done"
            ]
        assert done == [{"city": "Paris"}, {"city": "Tokyo"}]
        async with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.content.startswith("Hello")


async def async_rest(root):
    """parse, embeddings, models, raw and streaming responses, errors, Azure."""
    import openai
    from openai import AsyncAzureOpenAI, AsyncOpenAI
    from pydantic import BaseModel

    class Review(BaseModel):
        title: str

    async with AsyncOpenAI(max_retries=0) as client:
        parsed = await client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Review)
        assert isinstance(parsed.choices[0].message.parsed, Review)
        vectors = await client.embeddings.create(model="text-embedding-3-small", input=["a", "b"], dimensions=4)
        assert len(vectors.data[1].embedding) == 4
        names = [model.id async for model in client.models.list()]
        assert names == [model.id for model in (await client.models.list()).data] and MODEL in names
        raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
        assert raw.headers["x-request-id"] and raw.parse().id
        async with client.chat.completions.with_streaming_response.create(
            model=MODEL, messages=HELLO, stream=True
        ) as response:
            lines = [line async for line in response.iter_lines() if line]
        assert lines[-1] == "data: [DONE]"
        try:
            await client.with_options(timeout=5).chat.completions.create(model="fault/429", messages=HELLO)
        except openai.RateLimitError as error:
            assert error.response.status_code == 429 and error.request_id
        else:
            raise AssertionError("429 was no error")
    async with AsyncAzureOpenAI(azure_endpoint=root, api_version="2024-10-21", api_key="k") as azure_client:
        assert (await azure_client.chat.completions.create(model=MODEL, messages=HELLO)).id


# ---- files and batches, against a scripted server: what it answers stands with each program


def file(number, **more):
    return {
        "id": f"file-{number}",
        "object": "file",
        "bytes": 3,
        "created_at": 1,
        "filename": "in.jsonl",
        "purpose": "batch",
        "status": "processed",
        **more,
    }


def batch(number, **more):
    return {
        "id": f"batch_{number}",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-1",
        "completion_window": "24h",
        "status": "in_progress",
        "created_at": 1,
        "request_counts": {"total": 2, "completed": 1, "failed": 0},
        **more,
    }


def page(*items, has_more=False):
    return {
        "object": "list",
        "data": list(items),
        "has_more": has_more,
        "first_id": items[0]["id"],
        "last_id": items[-1]["id"],
    }


def files(root):
    """Up, listed over two pages, read, deleted."""
    import io
    import pathlib
    import tempfile

    from openai import OpenAI

    client = OpenAI()
    assert client.files.create(file=b"{}\n", purpose="batch").id == "file-1"
    named = io.BytesIO(b"{}\n")
    named.name = "/somewhere/named.jsonl"
    assert client.files.create(file=named, purpose="batch").filename == "in.jsonl"
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "path.jsonl"
        path.write_bytes(b"{}\n")
        client.files.create(file=path, purpose="batch")
    client.files.create(file=("tuple.jsonl", b"{}\n", "application/jsonl"), purpose="batch")
    assert client.files.retrieve("file-1").status == "processed"
    assert [each.id for each in client.files.list(limit=2)] == ["file-1", "file-2", "file-3"]
    content = client.files.content("file-1")
    assert content.read() == content.content == b'{"a":1}\n{"b":2}\n' and content.text.count("\n") == 2
    assert [json.loads(line) for line in content.iter_lines()] == [{"a": 1}, {"b": 2}]
    assert client.files.delete("file-1").deleted is True


files.answers = [
    file(1),
    file(2),
    file(3),
    file(4),
    file(1),
    page(file(1), file(2), has_more=True),
    page(file(3)),
    b'{"a":1}\n{"b":2}\n',
    {"id": "file-1", "object": "file", "deleted": True},
]


def batches(root):
    """Created, looked at, listed, cancelled."""
    from openai import OpenAI

    client = OpenAI()
    made = client.batches.create(
        input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h", metadata={"for": "me"}
    )
    assert (made.id, made.status, made.output_file_id) == ("batch_1", "in_progress", None)
    found = client.batches.retrieve("batch_1")
    assert found.request_counts.completed == 1 and found.output_file_id == "file-9"
    listed = client.batches.list(limit=1)
    assert listed.has_next_page() and listed.get_next_page().data[0].id == "batch_2"
    assert client.batches.cancel("batch_1").status == "cancelling"


batches.answers = [
    batch(1),
    batch(1, output_file_id="file-9"),
    page(batch(1), has_more=True),
    page(batch(2)),
    batch(1, status="cancelling"),
]


SCRIPTED = [files, batches]
PROGRAMS = [
    value
    for name, value in list(globals().items())
    if callable(value)
    and getattr(value, "__doc__", None)
    and getattr(value, "__module__", "") == __name__
    and value not in SCRIPTED
]
