// Listens to the node, and has each picture shown. EventSource cannot send a key, so the stream is read by
// hand.

import { byId, say } from "./dom.js";
import { headers, rebalance, refusal, useKey } from "./act.js";
import { show } from "./show.js";

const AGAIN_MS = 2000;
const SILENCE_MS = 6000;

let heard = 0;
let stop = new AbortController();

function link(text, className) {
  say(byId("link"), text, className);
}

/** One event of the stream: its name, and its data. */
function event(frame) {
  const field = (name) => frame.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  return [field("event"), field("data")];
}

function hear(frame) {
  const [name, data] = event(frame);
  if (name === "hello") greet(JSON.parse(data));
  if (name === "picture") {
    show(JSON.parse(data));
    heard = Date.now();
    byId("main").classList.remove("stale");
    link("live", "good");
  }
}

function greet({ who, changes }) {
  document.body.classList.toggle("looks-only", !changes);
  const may = changes ? "may change things" : "may look and not change anything";
  say(byId("who"), who === "unproven"
    ? `This listener asks for no certificate: whoever reaches it ${may}. The trail calls you “unproven”.`
    : `You are known by the ${who}, and ${may}.`);
}

async function listen(signal) {
  const answer = await fetch("/admin/live", { headers: headers(), cache: "no-store", signal });
  if (!answer.ok) throw new Error(await refusal(answer));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the node ended the stream");
    const frames = (rest + value).split("\n\n");
    rest = frames.pop();
    frames.forEach(hear);
  }
}

async function forever() {
  for (;;) {
    const mine = (stop = new AbortController());
    try {
      await listen(mine.signal);
    } catch (error) {
      if (mine.signal.aborted) continue;
      const words = error instanceof TypeError ? "the node does not answer" : error.message;
      link(`not connected: ${words}`, "bad");
      byId("main").classList.add("stale");
    }
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

setInterval(() => {
  const silence = Date.now() - heard;
  if (heard > 0 && silence > SILENCE_MS) {
    link(`nothing heard for ${Math.round(silence / 1000)} s: what is shown is old`, "bad");
    byId("main").classList.add("stale");
  }
}, 1000);

function exchange(text) {
  useKey(text);
  byId("key").value = "";
  byId("forget").hidden = text === "";
  // The stream is somebody else's from now on.
  stop.abort();
}

byId("key-form").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  if (byId("key").value.trim() !== "") exchange(byId("key").value.trim());
});
byId("forget").addEventListener("click", () => exchange(""));
byId("dismiss").addEventListener("click", () => (byId("outcome").hidden = true));
byId("rebalance").addEventListener("click", rebalance);

forever();
