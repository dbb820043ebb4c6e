"""What a caller does with the vendors' SDKs: `script.py SDK GATEWAY KEY PREFIX`, where PREFIX names whose models are asked.

Each step prints its name when it held; the first that does not ends the script.
"""

import base64
import json
import sys

SDK, GATEWAY, KEY, PREFIX = sys.argv[1:]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
TRIP = "Paris, London and Tokyo?"
CITIES = ["Paris", "London", "Tokyo"]
MODEL = f"{PREFIX}-plain"
# Bedrock and Gemini cannot be held to one call at a time, and Bedrock fetches no images.
ONE_AT_A_TIME = PREFIX not in ["g", "b"]
FETCHES = PREFIX != "b"
CAT = "https://img.test/cat.jpg"


def same(got, expected):
    assert got == expected, f"{got!r} is not {expected!r}"


def user(text):
    return [{"role": "user", "content": text}]


class OpenAi:
    def __init__(self):
        import openai

        self.errors = openai
        self.client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY, max_retries=0, timeout=20)
        self.create = self.client.chat.completions.create
        self.tools = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]

    def chat(self):
        said = self.create(model=MODEL, messages=[{"role": "system", "content": "Be short."}, *user("hello")])
        same(said.choices[0].message.content, "I heard: hello; I must: Be short.")
        same(said.choices[0].finish_reason, "stop")
        same(said.usage.completion_tokens, 9)
        same(said.usage.total_tokens, said.usage.prompt_tokens + 9)

    def stream(self):
        for usage in [True, False]:
            options = {"stream_options": {"include_usage": True}} if usage else {}
            chunks = list(self.create(model=MODEL, messages=user("hello there"), stream=True, **options))
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            same(text, "I heard: hello there")
            assert len(chunks) > 4, "it comes in pieces"
            same([chunk.usage.completion_tokens for chunk in chunks if chunk.usage], [9] if usage else [])
        with self.client.chat.completions.stream(model=MODEL, messages=user("hello there")) as stream:
            for _ in stream:
                pass
            same(stream.get_final_completion().choices[0].message.content, "I heard: hello there")

    def tool(self):
        messages = user(TRIP)
        said = self.create(model=MODEL, messages=messages, tools=self.tools, parallel_tool_calls=False).choices[0]
        same(said.finish_reason, "tool_calls")
        calls = said.message.tool_calls
        same([call.function.name for call in calls], ["weather"] * len(calls))
        same([json.loads(call.function.arguments)["city"] for call in calls], ["Paris"] if ONE_AT_A_TIME else CITIES)
        results = [{"role": "tool", "tool_call_id": call.id, "content": "21 degrees"} for call in calls]
        said = self.create(model=MODEL, messages=[*messages, said.message, *results], tools=self.tools)
        same(said.choices[0].message.content, f"The tools said: {', '.join(['21 degrees'] * len(calls))}.")

    def parallel_tools(self):
        messages = user(TRIP)
        said = self.create(model=MODEL, messages=messages, tools=self.tools).choices[0].message
        same([json.loads(call.function.arguments)["city"] for call in said.tool_calls], CITIES)
        same(len({call.id for call in said.tool_calls}), 3)
        results = [{"role": "tool", "tool_call_id": call.id, "content": f"{at}"} for at, call in enumerate(said.tool_calls)]
        told = self.create(model=MODEL, messages=[*messages, said, *results], tools=self.tools)
        same(told.choices[0].message.content, "The tools said: 0, 1, 2.")
        strict = [{"type": "function", "function": {**self.tools[0]["function"], "strict": True}}]
        with self.client.chat.completions.stream(model=MODEL, messages=messages, tools=strict) as stream:
            for _ in stream:
                pass
            calls = stream.get_final_completion().choices[0].message.tool_calls
        same([json.loads(call.function.arguments)["city"] for call in calls], CITIES)

    def structured(self):
        from pydantic import BaseModel

        class Weather(BaseModel):
            city: str
            degrees: int

        asked = self.client.chat.completions.parse(model=MODEL, messages=user("the weather"), response_format=Weather)
        same(asked.choices[0].message.parsed, Weather(city="Paris", degrees=21))
        form = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": WEATHER}}
        asked = self.create(model=MODEL, messages=user("the weather"), response_format=form)
        same(json.loads(asked.choices[0].message.content), {"city": "Paris", "degrees": 21})

    def images(self):
        parts = [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            *([{"type": "image_url", "image_url": {"url": CAT}}] if FETCHES else []),
        ]
        said = self.create(model=MODEL, messages=user(parts)).choices[0].message.content
        same(said, f"I heard: look; I saw image/png of 70 bytes{f'; I saw {CAT}' if FETCHES else ''}")

    def responses(self):
        create = self.client.responses.create
        said = create(model=MODEL, instructions="Be short.", input="hello", store=False)
        same((said.output_text, said.status), ("I heard: hello; I must: Be short.", "completed"))
        same(said.usage.output_tokens, 9)
        events = list(create(model=MODEL, input="hello there", stream=True, store=False))
        same((events[0].type, events[-1].type), ("response.created", "response.completed"))
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
        same(("".join(pieces), events[-1].response.output_text), ("I heard: hello there",) * 2)
        tools = [{"type": "function", "name": "weather", "parameters": CITY, "strict": False}]
        said = create(model=MODEL, input=user(TRIP), tools=tools, store=False)
        calls = [item for item in said.output if item.type == "function_call"]
        same([json.loads(call.arguments)["city"] for call in calls], CITIES)
        results = [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"} for call in calls]
        turns = [*user(TRIP), *[call.to_dict() for call in calls], *results]
        same(create(model=MODEL, input=turns, tools=tools, store=False).output_text, "The tools said: rain, rain, rain.")

    def embeddings(self):
        create, model = self.client.embeddings.create, f"{PREFIX}-embed"
        if PREFIX == "a":
            return self.refused(lambda: create(model=model, input="hello"), "serves embeddings")
        same(create(model=model, input="hello", encoding_format="float").data[0].embedding, [0.5, -1, 5])
        # Without a format the SDK asks for bytes and reads them.
        packed = create(model=model, input="hello")
        same(list(packed.data[0].embedding), [0.5, -1, 5])
        assert packed.usage.prompt_tokens > 0

    def draw(self):
        draw = lambda: self.client.images.generate(model=f"{PREFIX}-draw", prompt="a cat", n=2, size="1024x1024")
        if PREFIX == "a":
            return self.refused(draw, "serves images")
        same([base64.b64decode(image.b64_json) for image in draw().data], [b"a cat 0", b"a cat 1"])

    def refused(self, ask, why):
        """What the provider cannot do is told, in the SDK's own exception."""
        assert why in str(raised(self.errors.BadRequestError, ask))

    def retries(self):
        client = self.errors.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY, max_retries=2, timeout=20)
        said = client.chat.completions.create(model=f"{PREFIX}-once", messages=user("hello"))
        same(said.choices[0].message.content, "I heard: hello")

    def ask(self, model, stream=False):
        said = self.create(model=model, messages=user("a few words more"), stream=stream)
        return list(said) if stream else said

    def models(self):
        assert MODEL in [model.id for model in self.client.models.list()]

    def stranger(self):
        return self.errors.OpenAI(base_url=f"{GATEWAY}/v1", api_key="not-a-key-of-anybody-here", max_retries=0)

    def strange(self):
        self.stranger().chat.completions.create(model=MODEL, messages=user("hello"))


class Anthropic:
    def __init__(self):
        import anthropic

        self.errors = anthropic
        self.client = anthropic.Anthropic(base_url=GATEWAY, api_key=KEY, max_retries=0, timeout=20)
        self.tools = [{"name": "weather", "input_schema": CITY}]

    def create(self, **asked):
        return self.client.messages.create(**{"model": MODEL, "max_tokens": 100, **asked})

    def chat(self):
        said = self.create(system="Be short.", messages=user("hello"))
        same([block.text for block in said.content], ["I heard: hello; I must: Be short."])
        same((said.stop_reason, said.usage.output_tokens), ("end_turn", 9))

    def stream(self):
        with self.client.messages.stream(model=MODEL, max_tokens=100, messages=user("hello there")) as stream:
            pieces = list(stream.text_stream)
            said = stream.get_final_message()
        same(("".join(pieces), said.content[0].text), ("I heard: hello there", "I heard: hello there"))
        assert len(pieces) > 2, "it comes in pieces"
        same(said.usage.output_tokens, 9)
        events = [event.type for event in self.create(messages=user("hello there"), stream=True)]
        same((events[0], events[-1]), ("message_start", "message_stop"))

    def tool(self):
        messages, choice = user(TRIP), {"type": "auto", "disable_parallel_tool_use": True}
        said = self.create(messages=messages, tools=self.tools, tool_choice=choice)
        same(said.stop_reason, "tool_use")
        calls = said.content
        same([(call.type, call.name) for call in calls], [("tool_use", "weather")] * len(calls))
        same([call.input["city"] for call in calls], ["Paris"] if ONE_AT_A_TIME else CITIES)
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"} for call in calls]
        messages = [*messages, {"role": "assistant", "content": calls}, {"role": "user", "content": results}]
        told = self.create(messages=messages, tools=self.tools).content[0].text
        same(told, f"The tools said: {', '.join(['21 degrees'] * len(calls))}.")

    def parallel_tools(self):
        messages = user(TRIP)
        with self.client.messages.stream(model=MODEL, max_tokens=100, messages=messages, tools=self.tools) as stream:
            streamed = stream.get_final_message()
        for said in [self.create(messages=messages, tools=self.tools), streamed]:
            same([call.input["city"] for call in said.content], CITIES)
            results = [
                {"type": "tool_result", "tool_use_id": call.id, "content": f"{at}"} for at, call in enumerate(said.content)
            ]
            turns = [*messages, {"role": "assistant", "content": said.content}, {"role": "user", "content": results}]
            same(self.create(messages=turns, tools=self.tools).content[0].text, "The tools said: 0, 1, 2.")

    def structured(self):
        form = {"format": {"type": "json_schema", "schema": WEATHER}}
        said = self.create(messages=user("the weather"), output_config=form)
        same(json.loads(said.content[0].text), {"city": "Paris", "degrees": 21})

    def images(self):
        parts = [
            {"type": "text", "text": "look"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            *([{"type": "image", "source": {"type": "url", "url": CAT}}] if FETCHES else []),
        ]
        said = self.create(messages=user(parts)).content[0].text
        same(said, f"I heard: look; I saw image/png of 70 bytes{f'; I saw {CAT}' if FETCHES else ''}")

    def count_tokens(self):
        assert self.client.messages.count_tokens(model=MODEL, messages=user("hello there")).input_tokens > 0

    def ask(self, model, stream=False):
        said = self.create(model=model, messages=user("a few words more"), stream=stream)
        return list(said) if stream else said

    def models(self):
        assert MODEL in [model.id for model in self.client.models.list()]

    def retries(self):
        client = self.errors.Anthropic(base_url=GATEWAY, api_key=KEY, max_retries=2, timeout=20)
        said = client.messages.create(model=f"{PREFIX}-once", max_tokens=100, messages=user("hello"))
        same(said.content[0].text, "I heard: hello")

    def strange(self):
        stranger = self.errors.Anthropic(base_url=GATEWAY, api_key="not-a-key-of-anybody-here", max_retries=0)
        stranger.messages.create(model=MODEL, max_tokens=100, messages=user("hello"))


def raised(kind, ask):
    try:
        ask()
    except kind as error:
        same(type(error), kind)
        return error
    raise AssertionError(f"no {kind.__name__}")


def errors(caller):
    """Each failure is the SDK's own exception of that kind."""
    kinds = caller.errors
    raised(kinds.AuthenticationError, caller.strange)
    raised(kinds.NotFoundError, lambda: caller.ask("no-such-model"))
    raised(kinds.BadRequestError, lambda: caller.ask(f"{PREFIX}-fails-400"))
    raised(kinds.InternalServerError, lambda: caller.ask(f"{PREFIX}-fails-500"))
    limited = raised(kinds.RateLimitError, lambda: caller.ask(f"{PREFIX}-fails-429"))
    assert 1 <= int(limited.response.headers["retry-after"]) <= 7


def broken_stream(caller):
    """A failure in the middle of a stream is an exception, not an end."""
    try:
        caller.ask(f"{PREFIX}-breaks", stream=True)
    except caller.errors.APIError as error:
        assert "stream" in str(error), error
        return
    raise AssertionError("a broken stream ended well")


caller = OpenAi() if SDK == "openai" else Anthropic()
STEPS = ["chat", "stream", "tool", "parallel_tools", "structured", "images", "models"]
STEPS += ["responses", "embeddings", "draw"] if SDK == "openai" else ["count_tokens"]
for step in [*STEPS, "retries"]:
    getattr(caller, step)()
    print(step, flush=True)
broken_stream(caller)
print("broken_stream", flush=True)
# Last, for the provider's key rests after it.
errors(caller)
print("errors", flush=True)
