// What a caller does with the vendors' SDKs for JavaScript: `script.mjs SDK GATEWAY KEY PREFIX`, where PREFIX names whose
// models are asked. Each step prints its name when it held; the first that does not ends the script.

import assert from "node:assert/strict";

const [SDK, GATEWAY, KEY, PREFIX] = process.argv.slice(2);
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const object = (properties) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const CITY = object({ city: { type: "string" } });
const WEATHER = object({ city: { type: "string" }, degrees: { type: "integer" } });
const TRIP = "Paris, London and Tokyo?";
const CITIES = ["Paris", "London", "Tokyo"];
const MODEL = `${PREFIX}-plain`;
// What it is told: Bedrock and Gemini cannot be held to one call at a time, and Bedrock fetches no images.
const ONE_AT_A_TIME = !["g", "b"].includes(PREFIX);
const FETCHES = PREFIX !== "b";

const same = (got, expected) => assert.deepEqual(got, expected);
const user = (content) => [{ role: "user", content }];
const collect = async (stream) => {
  const all = [];
  for await (const one of stream) all.push(one);
  return all;
};

class OpenAi {
  async start() {
    const sdk = await import("openai");
    this.errors = sdk;
    this.make = (apiKey) => new sdk.OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey, maxRetries: 0, timeout: 20_000 });
    this.client = this.make(KEY);
    this.tools = [{ type: "function", function: { name: "weather", parameters: CITY } }];
  }

  create(asked) {
    return this.client.chat.completions.create({ model: MODEL, ...asked });
  }

  async chat() {
    const said = await this.create({ messages: [{ role: "system", content: "Be short." }, ...user("hello")] });
    same(said.choices[0].message.content, "I heard: hello; I must: Be short.");
    same(said.choices[0].finish_reason, "stop");
    same([said.usage.completion_tokens, said.usage.total_tokens], [9, said.usage.prompt_tokens + 9]);
  }

  async stream() {
    const chunks = await collect(
      await this.create({ messages: user("hello there"), stream: true, stream_options: { include_usage: true } }),
    );
    same(chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join(""), "I heard: hello there");
    same(chunks.filter((chunk) => chunk.usage).map((chunk) => chunk.usage.completion_tokens), [9]);
    const stream = this.client.chat.completions.stream({ model: MODEL, messages: user("hello there") });
    same((await stream.finalChatCompletion()).choices[0].message.content, "I heard: hello there");
  }

  async tool() {
    const messages = user(TRIP);
    const said = (await this.create({ messages, tools: this.tools, parallel_tool_calls: false })).choices[0];
    same(said.finish_reason, "tool_calls");
    const calls = said.message.tool_calls;
    same(calls.map((call) => JSON.parse(call.function.arguments).city), ONE_AT_A_TIME ? ["Paris"] : CITIES);
    const results = calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "21 degrees" }));
    const told = await this.create({ messages: [...messages, said.message, ...results], tools: this.tools });
    same(told.choices[0].message.content, `The tools said: ${calls.map(() => "21 degrees").join(", ")}.`);
  }

  async parallel_tools() {
    const messages = user(TRIP);
    const stream = this.client.chat.completions.stream({ model: MODEL, messages, tools: this.tools });
    for (const said of [await this.create({ messages, tools: this.tools }), await stream.finalChatCompletion()]) {
      const message = said.choices[0].message;
      same(message.tool_calls.map((call) => JSON.parse(call.function.arguments).city), CITIES);
      same(new Set(message.tool_calls.map((call) => call.id)).size, 3);
      const results = message.tool_calls.map((call, at) => ({ role: "tool", tool_call_id: call.id, content: `${at}` }));
      const told = await this.create({ messages: [...messages, message, ...results], tools: this.tools });
      same(told.choices[0].message.content, "The tools said: 0, 1, 2.");
    }
  }

  async structured() {
    const response_format = { type: "json_schema", json_schema: { name: "weather", strict: true, schema: WEATHER } };
    const asked = await this.client.chat.completions.parse({ model: MODEL, messages: user("weather"), response_format });
    same(JSON.parse(asked.choices[0].message.content), { city: "Paris", degrees: 21 });
  }

  async images() {
    const urls = [`data:image/png;base64,${PNG}`, ...(FETCHES ? ["https://img.test/cat.jpg"] : [])];
    const parts = [{ type: "text", text: "look" }, ...urls.map((url) => ({ type: "image_url", image_url: { url } }))];
    const said = await this.create({ messages: user(parts) });
    const cat = FETCHES ? "; I saw https://img.test/cat.jpg" : "";
    same(said.choices[0].message.content, `I heard: look; I saw image/png of 70 bytes${cat}`);
  }

  async responses() {
    const create = (asked) => this.client.responses.create({ model: MODEL, store: false, ...asked });
    const said = await create({ instructions: "Be short.", input: "hello" });
    same([said.output_text, said.status], ["I heard: hello; I must: Be short.", "completed"]);
    const events = await collect(await create({ input: "hello there", stream: true }));
    const pieces = events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta);
    same([pieces.join(""), events.at(-1).type], ["I heard: hello there", "response.completed"]);
    const tools = [{ type: "function", name: "weather", parameters: CITY, strict: false }];
    const calls = (await create({ input: user(TRIP), tools })).output.filter((item) => item.type === "function_call");
    same(calls.map((call) => JSON.parse(call.arguments).city), CITIES);
    const results = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "rain" }));
    const told = await create({ input: [...user(TRIP), ...calls, ...results], tools });
    same(told.output_text, "The tools said: rain, rain, rain.");
  }

  async embeddings() {
    const model = `${PREFIX}-embed`;
    if (PREFIX === "a") {
      return this.refused(() => this.client.embeddings.create({ model, input: "hello" }), "serves embeddings");
    }
    const plain = await this.client.embeddings.create({ model, input: "hello", encoding_format: "float" });
    same(plain.data[0].embedding, [0.5, -1, 5]);
    // Without a format the SDK asks for bytes and reads them.
    const packed = await this.client.embeddings.create({ model, input: "hello" });
    same(Array.from(packed.data[0].embedding), [0.5, -1, 5]);
    assert.ok(packed.usage.prompt_tokens > 0);
  }

  async draw() {
    const asked = { model: `${PREFIX}-draw`, prompt: "a cat", n: 2, size: "1024x1024" };
    const draw = () => this.client.images.generate(asked);
    if (PREFIX === "a") return this.refused(draw, "serves images");
    same((await draw()).data.map((image) => atob(image.b64_json)), ["a cat 0", "a cat 1"]);
  }

  // What the provider cannot do is told, in the SDK's own exception.
  async refused(ask, why) {
    const error = await raised(this.errors.BadRequestError, ask);
    assert.ok(error.message.includes(why), error.message);
  }

  async ask(model, stream = false) {
    const said = await this.create({ model, messages: user("a few words more"), stream });
    return stream ? collect(said) : said;
  }

  async models() {
    assert.ok((await collect(this.client.models.list())).some((model) => model.id === MODEL));
  }

  strange() {
    return this.make("not-a-key-of-anybody-here").chat.completions.create({ model: MODEL, messages: user("hello") });
  }

  async retries() {
    const client = new this.errors.OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: KEY, maxRetries: 2, timeout: 20_000 });
    const said = await client.chat.completions.create({ model: `${PREFIX}-once`, messages: user("hello") });
    same(said.choices[0].message.content, "I heard: hello");
  }
}

class Anthropic {
  async start() {
    const sdk = await import("@anthropic-ai/sdk");
    this.errors = sdk;
    this.make = (apiKey, maxRetries = 0) => new sdk.default({ baseURL: GATEWAY, apiKey, maxRetries, timeout: 20_000 });
    this.client = this.make(KEY);
    this.tools = [{ name: "weather", input_schema: CITY }];
  }

  create(asked) {
    return this.client.messages.create({ model: MODEL, max_tokens: 100, ...asked });
  }

  async chat() {
    const said = await this.create({ system: "Be short.", messages: user("hello") });
    same(said.content.map((block) => block.text), ["I heard: hello; I must: Be short."]);
    same([said.stop_reason, said.usage.output_tokens], ["end_turn", 9]);
  }

  async stream() {
    const stream = this.client.messages.stream({ model: MODEL, max_tokens: 100, messages: user("hello there") });
    const events = await collect(stream);
    same([events[0].type, events.at(-1).type], ["message_start", "message_stop"]);
    const said = await stream.finalMessage();
    same([said.content[0].text, said.usage.output_tokens], ["I heard: hello there", 9]);
  }

  async tool() {
    const messages = user(TRIP);
    const tool_choice = { type: "auto", disable_parallel_tool_use: true };
    const said = await this.create({ messages, tools: this.tools, tool_choice });
    same(said.stop_reason, "tool_use");
    same(said.content.map((call) => call.input.city), ONE_AT_A_TIME ? ["Paris"] : CITIES);
    const turns = [...messages, { role: "assistant", content: said.content }, ...user(this.results(said, () => "21"))];
    const told = await this.create({ messages: turns, tools: this.tools });
    same(told.content[0].text, `The tools said: ${said.content.map(() => "21").join(", ")}.`);
  }

  results(said, content) {
    return said.content.map((call, at) => ({ type: "tool_result", tool_use_id: call.id, content: content(at) }));
  }

  async parallel_tools() {
    const messages = user(TRIP);
    const stream = this.client.messages.stream({ model: MODEL, max_tokens: 100, messages, tools: this.tools });
    for (const said of [await this.create({ messages, tools: this.tools }), await stream.finalMessage()]) {
      same(said.content.map((call) => call.input.city), CITIES);
      const content = this.results(said, (at) => `${at}`);
      const turns = [...messages, { role: "assistant", content: said.content }, ...user(content)];
      same((await this.create({ messages: turns, tools: this.tools })).content[0].text, "The tools said: 0, 1, 2.");
    }
  }

  async structured() {
    const output_config = { format: { type: "json_schema", schema: WEATHER } };
    const said = await this.create({ messages: user("weather"), output_config });
    same(JSON.parse(said.content[0].text), { city: "Paris", degrees: 21 });
  }

  async images() {
    const sources = [
      { type: "base64", media_type: "image/png", data: PNG },
      ...(FETCHES ? [{ type: "url", url: "https://img.test/cat.jpg" }] : []),
    ];
    const parts = [{ type: "text", text: "look" }, ...sources.map((source) => ({ type: "image", source }))];
    const said = await this.create({ messages: user(parts) });
    const cat = FETCHES ? "; I saw https://img.test/cat.jpg" : "";
    same(said.content[0].text, `I heard: look; I saw image/png of 70 bytes${cat}`);
  }

  async count_tokens() {
    const counted = await this.client.messages.countTokens({ model: MODEL, messages: user("hello there") });
    assert.ok(counted.input_tokens > 0);
  }

  async ask(model, stream = false) {
    const said = await this.create({ model, messages: user("a few words more"), stream });
    return stream ? collect(said) : said;
  }

  async models() {
    assert.ok((await collect(this.client.models.list())).some((model) => model.id === MODEL));
  }

  strange() {
    return this.make("not-a-key-of-anybody-here").messages.create({
      model: MODEL,
      max_tokens: 100,
      messages: user("hello"),
    });
  }

  async retries() {
    const asked = { model: `${PREFIX}-once`, max_tokens: 100, messages: user("hello") };
    same((await this.make(KEY, 2).messages.create(asked)).content[0].text, "I heard: hello");
  }
}

const raised = async (kind, ask) => {
  try {
    await ask();
  } catch (error) {
    assert.equal(error.constructor, kind, `${error}`);
    return error;
  }
  assert.fail(`no ${kind.name}`);
};

// Each failure is the SDK's own exception of that kind.
const errors = async (caller) => {
  const kinds = caller.errors;
  await raised(kinds.AuthenticationError, () => caller.strange());
  await raised(kinds.NotFoundError, () => caller.ask("no-such-model"));
  await raised(kinds.BadRequestError, () => caller.ask(`${PREFIX}-fails-400`));
  await raised(kinds.InternalServerError, () => caller.ask(`${PREFIX}-fails-500`));
  const limited = await raised(kinds.RateLimitError, () => caller.ask(`${PREFIX}-fails-429`));
  const after = Number(limited.headers.get("retry-after"));
  assert.ok(after >= 1 && after <= 7, `${after}`);
};

// A failure in the middle of a stream is an exception, not an end.
const broken_stream = async (caller) => {
  await assert.rejects(caller.ask(`${PREFIX}-breaks`, true), caller.errors.APIError);
};

const caller = SDK === "openai" ? new OpenAi() : new Anthropic();
await caller.start();
const own = SDK === "openai" ? ["responses", "embeddings", "draw"] : ["count_tokens"];
const steps = ["chat", "stream", "tool", "parallel_tools", "structured", "images", "models", ...own, "retries"];
for (const step of steps) {
  await caller[step]();
  console.log(step);
}
await broken_stream(caller);
console.log("broken_stream");
// Last, for the provider's key rests after it.
await errors(caller);
console.log("errors");
