// What operators change. Every change is asked about first, in words, and goes through the routes that the
// command line asks; what it answers, or why it refuses, is shown as it said it.

import { byId, el, many, number, say, sentences } from "./dom.js";

/** The key of the API, if one was entered. Nowhere but here. */
let key = "";

export function useKey(text) {
  key = text.trim();
}

/** Headers of every request. */
export function headers(more = {}) {
  return key === "" ? more : { ...more, Authorization: `Bearer ${key}` };
}

/** What a refusal says. */
export async function refusal(answer) {
  const body = await answer.text();
  try {
    const problem = JSON.parse(body);
    if (problem.detail) return `${problem.detail} (${problem.error})`;
  } catch {
    // Not a problem document: what there is has to do.
  }
  return body.trim() || `the node answered ${answer.status}`;
}

async function call(method, path, body) {
  const request = { method, cache: "no-store", headers: headers() };
  if (body !== undefined) {
    request.headers = headers({ "Content-Type": "application/json" });
    request.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, request);
  } catch {
    throw new Error("the node does not answer; whether it was done is not known: asking again is harmless");
  }
  if (!answer.ok) throw new Error(await refusal(answer));
  return answer.json();
}

function outcome(text) {
  byId("outcome").hidden = false;
  say(byId("outcome-words"), text);
}

/**
 * Asks, and does it when the answer is yes.
 * what: { title, words: [text], yes: label, danger, field: {label, control}, prepare, act }
 * prepare resolves to more words and steps, or throws why it cannot be done; act resolves to the outcome.
 */
function ask(what) {
  const dialog = byId("ask");
  const [yes, no, problem] = [byId("ask-yes"), byId("ask-no"), byId("ask-problem")];
  say(byId("ask-title"), what.title);
  byId("ask-words").replaceChildren(...what.words.map((text) => el("p", {}, text)));
  byId("ask-field").hidden = !what.field;
  say(byId("ask-label"), what.field?.label ?? "");
  byId("ask-control").replaceChildren(...(what.field ? [what.field.control] : []));
  say(yes, what.yes, what.danger ? "danger" : "primary");
  const steps = byId("ask-steps");
  const plan = (lines) => {
    steps.hidden = lines.length === 0;
    sentences(steps, lines);
  };
  plan([]);
  const refuse = (error) => {
    problem.hidden = false;
    say(problem, error.message);
  };
  problem.hidden = true;
  yes.disabled = false;
  // A question that was closed is not to be answered into the next one.
  const asked = (dialog.asked = {});
  const still = () => dialog.asked === asked && dialog.open;
  // Nothing is done before it was told what it comes to.
  let told = !what.prepare;
  const prepare = async () => {
    yes.disabled = true;
    problem.hidden = true;
    let lines = [];
    try {
      lines = await what.prepare();
      told = true;
    } catch (error) {
      told = false;
      if (still()) refuse(error);
    }
    if (!still()) return;
    plan(lines);
    say(yes, told ? what.yes : "Look again");
    yes.disabled = false;
  };
  const act = async () => {
    yes.disabled = true;
    problem.hidden = true;
    try {
      const done = await what.act();
      if (still()) dialog.close();
      outcome(done);
    } catch (error) {
      if (!still()) outcome(`${what.title}: ${error.message}`);
      else refuse(error);
    }
    if (still()) yes.disabled = false;
  };
  no.onclick = () => dialog.close();
  byId("ask-form").onsubmit = (event) => {
    event.preventDefault();
    if (told) act();
    else prepare();
  };
  if (what.field) what.field.control.onchange = what.prepare ? prepare : null;
  dialog.showModal();
  if (what.prepare) prepare();
}

const SALE = {
  open: {
    title: "Open the sale", yes: "Open it",
    words: (event) => [`“${event.name}” sells from now on, whatever its opening time says.`,
      event.queue ? "If the draw has not been made, it is made now, among those who are there." : ""],
  },
  pause: {
    title: "Pause the sale", yes: "Pause it",
    words: (event) => [`Nobody can reserve seats of “${event.name}”, and nobody is admitted, until it is resumed.`,
      "Who holds seats keeps them until the time they were told, and can pay."],
  },
  resume: {
    title: "Resume the sale", yes: "Resume it",
    words: (event) => [`“${event.name}” sells again, and people are admitted again.`],
  },
  close: {
    title: "Close the sale for good", yes: "Close it for good", danger: true,
    words: (event) => [`“${event.name}” is never sold again: a sale that is closed cannot be opened.`,
      `${many(event.counts.available, "place is", "places are")} still available` +
      (event.queue ? `, ${many(event.queue.waiting, "person waits", "people wait")}.` : "."),
      "Who holds seats keeps them until the time they were told, and can pay."],
  },
};

/** Opens, pauses, resumes or closes a sale, or changes how fast people are admitted. */
export function sale(event, action) {
  const path = `/admin/events/${encodeURIComponent(event.event_id)}/sale`;
  if (action === "rate") return rate(event, path);
  const what = SALE[action];
  ask({
    ...what,
    words: what.words(event).filter((text) => text !== ""),
    act: async () => {
      const answer = await call("PATCH", path, { action });
      return `The sale of “${event.name}” is ${answer.sale.replace("_", " ")}.`;
    },
  });
}

function rate(event, path) {
  const now = event.queue.admit_per_minute;
  const control = el("input", {
    id: "ask-input", type: "number", min: 0, max: 10000000, step: 1, required: "", value: now,
  });
  ask({
    title: "Change the admission rate",
    words: [`${number(now)} people a minute are admitted to “${event.name}” now, as long as there is stock for them.`,
      "The new rate counts at once; 0 admits nobody. Places in the line stay as they are."],
    field: { label: "People admitted a minute", control },
    yes: "Change it",
    act: async () => {
      const answer = await call("PATCH", path, { admit_per_minute: control.valueAsNumber });
      return `“${event.name}” admits ${number(answer.admit_per_minute)} people a minute.`;
    },
  });
}

/** What a dry run says will be done. */
async function steps(path, body) {
  const plan = await call("POST", `${path}?dry_run=true`, body);
  const waits = plan.blocked.map((blocked) => `Waits: ${blocked.reason}; ${blocked.remedy}`);
  const lines = [...plan.steps, ...waits];
  return lines.length === 0 ? ["Nothing has to be moved for it."] : lines;
}

async function change(path, body, done) {
  const plan = await call("POST", path, body);
  const { length } = plan.steps;
  return length === 0
    ? `${done} Nothing has to be moved for it.`
    : `${done} ${many(length, "step follows", "steps follow")}; see “Changes of members”.`;
}

/** Drains a node, or undrains it. */
export function drain(node) {
  const [path, draining] = [`/admin/members/${node.id}`, node.state === "member"];
  const [word, route] = draining ? ["Drain", `${path}/drain`] : ["Undrain", `${path}/undrain`];
  const words = draining
    ? [`Node ${node.id} hands over its leaderships and its votes, one safe step after the other, keeps reading along, ` +
       "and tells load balancers that it is not ready. Buyers go on.",
       "What will be done:"]
    : [`Node ${node.id} may vote and lead again. It does once the cluster is rebalanced.`, "What will be done:"];
  ask({
    title: `${word} node ${node.id}`, words, yes: `${word} it`, danger: draining,
    prepare: () => steps(route),
    act: () => change(route, undefined, `Node ${node.id} is to be ${draining ? "drained" : "undrained"}.`),
  });
}

/** Spreads voters and leaders evenly. */
export function rebalance() {
  ask({
    title: "Rebalance the cluster",
    words: ["Voters and leaders are spread evenly over nodes and zones. That moves data and leaders: a shard stands " +
      "still for some milliseconds while its leader moves.", "What will be done:"],
    yes: "Rebalance",
    prepare: () => steps("/admin/rebalance", {}),
    act: () => change("/admin/rebalance", {}, "The cluster is to be balanced."),
  });
}

/** Hands a group's leadership to another of its voters. */
export function moveLeader(group) {
  const others = group.replicas.filter((replica) => replica.votes && replica.node !== group.leader);
  const control = el("select", { id: "ask-input" },
    ...others.map(({ node, lag }) =>
      el("option", { value: node }, `node ${node}, ${many(lag, "entry", "entries")} behind`)));
  const which = group.group === 0 ? "the system group" : `shard ${group.group}`;
  const body = () => ({ group: group.group, to: Number(control.value) });
  ask({
    title: `Move the leader of ${which}`,
    words: [`${group.leader === null ? "Nobody" : `Node ${group.leader}`} leads ${which} now. It stands still for some ` +
      "milliseconds while its leader moves; requests wait meanwhile.",
      "Where the placement names a leader, it names this one from now on."],
    field: { label: "To", control },
    yes: "Move it",
    prepare: async () => {
      await call("POST", "/admin/move-leader?dry_run=true", body());
      return [];
    },
    act: async () => {
      const { leader } = await call("POST", "/admin/move-leader", body());
      return `Node ${leader} is to lead ${which}.`;
    },
  });
}
