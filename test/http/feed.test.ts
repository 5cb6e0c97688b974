// Streams of events: their format, their heartbeat, their end, and what becomes of a reader that is too slow.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testClock } from "../../src/compose/testing.ts";
import { feed, type FeedOptions, type Message } from "../../src/http/feed.ts";

function rig(options: Partial<FeedOptions> = {}) {
  const clock = testClock();
  const ending = new AbortController();
  const senders = new Set<(message: Message) => void>();
  const response = feed({
    format: "sse",
    clock,
    ending: ending.signal,
    subscribe(send) {
      senders.add(send);
      return () => void senders.delete(send);
    },
    ...options,
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const read = async () => (await reader.read()).value;
  return {
    clock,
    ending,
    senders,
    response,
    reader,
    read,
    send: (message: Message) => senders.forEach((to) => to(message)),
  };
}

/** Everything that is left. */
async function rest(reader: ReadableStreamDefaultReader<string>): Promise<string> {
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return text;
    text += value;
  }
}

test("sse has event, id and data, after the retry", async () => {
  const { send, read, response } = rig({ backlog: [{ event: "old", data: { n: 0 } }] });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(await read(), 'retry: 1000\n\nevent: old\ndata: {"n":0}\n\n');
  send({ event: "line", id: 7, data: { text: "a\nb\r\u2028" } });
  assert.equal(await read(), 'id: 7\nevent: line\ndata: {"text":"a\\nb\\r\u2028"}\n\n');
});

test("ndjson has the data alone", async () => {
  const { send, read, response } = rig({ format: "ndjson", backlog: [{ event: "old", data: { n: 0 } }] });
  assert.equal(response.headers.get("content-type"), "application/x-ndjson");
  assert.equal(await read(), '{"n":0}\n');
  send({ event: "line", id: 7, data: { n: 1 } });
  assert.equal(await read(), '{"n":1}\n');
});

test("a comment every 15 s, for as long as somebody listens", async () => {
  const { clock, read, reader, senders } = rig();
  await read();
  for (const _ of [1, 2]) {
    await clock.advance(14_999);
    const beat = read();
    await clock.advance(1);
    assert.equal(await beat, ":\n\n");
  }
  await reader.cancel();
  assert.equal(senders.size, 0);
});

test("the end is an event with retry, and nothing comes after it", async () => {
  const { clock, ending, send, reader, senders } = rig();
  send({ event: "a", data: {} });
  ending.abort("the runtime is stopping");
  send({ event: "b", data: {} });
  await clock.advance(60_000);
  const text = await rest(reader);
  assert.match(
    text,
    /event: a\n[^]*retry: 1000\nevent: end\ndata: \{"reason":"the runtime is stopping"\}\n\n$/,
  );
  assert.doesNotMatch(text, /event: b|\n:\n/);
  assert.equal(senders.size, 0);
});

test("a stream that is asked for after the end has its backlog and ends", async () => {
  const { reader, senders } = rig({
    ending: AbortSignal.abort("over"),
    backlog: [{ event: "old", data: {} }],
  });
  assert.match(await rest(reader), /event: old\n[^]*event: end\n/);
  assert.equal(senders.size, 0);
});

test("a slow reader loses messages, is told how many, and then gets what comes", async () => {
  const clock = testClock();
  let send: (message: Message) => void = () => {};
  const response = feed({
    format: "sse",
    clock,
    ending: new AbortController().signal,
    subscribe(to) {
      send = to;
      return () => {};
    },
  });
  const text = "x".repeat(1_000);
  for (let n = 0; n < 1_000; n++) send({ event: "line", id: n, data: { text } });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let received = "";
  while (!received.includes("event: lost")) received += (await reader.read()).value;
  const kept = received.match(/event: line/g)?.length ?? 0;
  const lost = Number(/"lost":(\d+)/.exec(received)?.[1]);
  assert.equal(kept + lost, 1_000);
  assert.ok(kept > 200 && kept < 300, `${kept} fit into the buffer`);
  send({ event: "line", id: 1_000, data: { text: "after" } });
  while (!received.includes("after")) received += (await reader.read()).value;
  assert.equal(received.match(/event: lost/g)?.length, 1);
});
