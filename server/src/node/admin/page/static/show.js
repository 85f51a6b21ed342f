// Shows one picture.

import { byId, bytes, el, keyed, many, number, say, sentences } from "./dom.js";
import { drain, moveLeader, sale } from "./act.js";

/** Puts a picture on the page. */
export function show(picture) {
  speaker(picture);
  attention(picture);
  door(picture);
  events(picture);
  cluster(picture);
  groups(picture);
}

function speaker({ node, at }) {
  const time = at.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC");
  say(byId("speaker"), `cluster ${node.cluster_id}, as node ${node.node_id} sees it at ${time}`);
}

function attention({ node, members, releases, releases_problem: silent, groups: all }) {
  const warnings = node.health.warnings.map((warning) => `Node ${node.node_id}: ${warning}`);
  const mute = (releases?.nodes ?? []).filter(({ id, release }) => !release && id !== node.node_id);
  if (mute.length > 0) warnings.push(`No answer from node ${mute.map(({ id }) => id).join(", node ")}`);
  const leaderless = all.filter((group) => group.leader === null).map(name);
  if (leaderless.length > 0) warnings.push(`No leader answers: ${leaderless.join(", ")}`);
  if (!members) warnings.push("The cluster has not been initialized: run “usher init” once.");
  else if (members.outside) {
    warnings.push("This node is in no group (any more): ask another one for the whole truth.");
  }
  if (silent && members) warnings.push(`Nobody can tell which nodes answer: ${silent}`);
  for (const blocked of members?.blocked ?? []) warnings.push(`Waits: ${blocked.reason}; ${blocked.remedy}`);
  if (members?.failed) warnings.push(`The last step failed: ${members.failed}`);
  byId("attention").hidden = warnings.length === 0;
  sentences(byId("warnings"), warnings);
}

function door({ door: told, node, payments_owed: payments, messages_owed: messages }) {
  const within = (ms) => (ms === null ? "cannot be told" : `within ${number(ms)} ms`);
  const rates = told
    ? `At the door of node ${node.node_id}, over ${number(told.seconds)} s: ` +
      `${number(told.reserves_per_s)} reservations a second (${number(told.granted_per_s)} granted)` +
      (told.reserves_per_s > 0 ? `, half ${within(told.p50_ms)}, 99 of 100 ${within(told.p99_ms)}` : "") +
      `, ${number(told.pays_per_s)} payments a second. `
    : "Rates are known after two pictures. ";
  const owed =
    `In the whole cluster: ${many(payments, "payment", "payments")} that the provider has yet to answer, ` +
    `${many(messages, "message", "messages")} under way between shards.`;
  say(byId("door"), rates + owed);
}

const STATES = {
  scheduled: ["scheduled", "wait"],
  open: ["open", "good"],
  paused: ["paused", "wait"],
  closed: ["closed", "faint"],
  sold_out: ["sold out", "faint"],
};

/** What may be asked for in each state. */
const ACTIONS = {
  scheduled: ["open", "rate", "close"],
  open: ["pause", "rate", "close"],
  sold_out: ["pause", "rate", "close"],
  paused: ["resume", "rate", "close"],
  closed: [],
};

const LABELS = { open: "Open…", pause: "Pause…", resume: "Resume…", rate: "Admission rate…", close: "Close…" };

function events({ events: all, events_more: more }) {
  keyed(byId("events"), [...all].reverse(), (event) => event.event_id, eventCard);
  const note = byId("events-note");
  note.hidden = all.length > 0 && more === 0;
  say(note, more > 0 ? `${many(more, "older event is", "older events are")} not shown.` : "No events yet.");
}

function eventCard(first) {
  const title = el("h3", { id: `event-${first.event_id}` });
  const state = el("span", { class: "state" });
  const where = el("p", { class: "note" });
  const parts = ["sold", "held", "free", "blocked"].map((part) => el("span", { class: part }));
  const bar = el("div", { class: "bar", "aria-hidden": "true" }, ...parts);
  const figures = el("dl");
  const buttons = el("div", { class: "buttons control" });
  const head = el("div", { class: "head" }, title, state);
  const labelled = { class: "event", "aria-labelledby": title.id };
  const element = el("article", labelled, head, where, bar, figures, buttons);
  let now = first;
  const made = {};
  for (const action of Object.keys(LABELS)) {
    made[action] = el("button", { type: "button" }, LABELS[action]);
    made[action].addEventListener("click", () => sale(now, action));
    buttons.append(made[action]);
  }
  const fill = (event) => {
    now = event;
    const { counts, queue } = event;
    say(title, event.name);
    const [word, className] = STATES[event.sale] ?? [event.sale, ""];
    say(state, word, `state ${className}`);
    say(where, `${event.venue}; opens ${event.opens_at.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC")}`);
    const shares = [counts.sold, counts.held, counts.available, counts.blocked];
    parts.forEach((part, place) => (part.style.flexGrow = shares[place]));
    const told = [
      ["Sold", counts.sold, "sold"],
      ["Held", counts.held, "held"],
      ["Available", counts.available, "free"],
      ["Blocked", counts.blocked, "blocked"],
      ["Being paid", event.pinned, ""],
    ];
    if (queue) {
      told.push(["Waiting", queue.waiting, ""], ["Admitted up to", queue.admitted, ""]);
      told.push(["Admitted a minute", queue.admit_per_minute, ""]);
    }
    keyed(figures, told, ([label]) => label, ([label, , className]) => {
      const value = el("dd");
      const pair = el("div", {}, el("dt", { class: className }, label), value);
      return { element: pair, fill: ([, count]) => say(value, number(count)) };
    });
    const possible = ACTIONS[event.sale] ?? [];
    for (const [action, button] of Object.entries(made)) {
      button.hidden = !possible.includes(action) || (action === "rate" && !queue);
    }
  };
  return { element, fill };
}

function role({ state, votes }) {
  if (state === "draining") return votes === 0 ? ["drained", "wait"] : ["draining", "wait"];
  if (state === "leaving") return ["leaving", "wait"];
  return votes > 0 ? ["voter", ""] : ["learner", "faint"];
}

function cluster(picture) {
  const { node: speaks, members, releases } = picture;
  const version = releases
    ? `Cluster version ${releases.version}. ${releases.missing.join("; ")}` +
      (releases.common > releases.version && releases.missing.length === 0
        ? `Every node supports version ${releases.common}: “usher cluster upgrade --finish” raises it, for good.`
        : "")
    : "The cluster's version is not known: no leader of the system group answers.";
  say(byId("version"), version);
  const all = (members?.nodes ?? []).map((node) => ({ ...node, picture }));
  keyed(byId("nodes"), all, (node) => node.id, nodeRow);
  say(byId("blind"),
    `Node ${speaks.node_id} speaks. Clocks are as it measures them; of other nodes it does not know the disk and ` +
    "the warnings: open their own pages, or “usher cluster status --admin A,B,C”.");
  const moves = [...(members?.steps ?? []).map((step) => `To do: ${step}`)];
  if (members?.did && !members.settled) moves.unshift(`Done last: ${members.did}`);
  byId("moves").hidden = moves.length === 0;
  sentences(byId("moves-list"), moves);
  byId("rebalance").hidden = !members;
}

function row(columns) {
  const cells = columns.map((className, place) =>
    place === 0 ? el("th", { scope: "row" }) : el("td", { class: className }));
  return { element: el("tr", {}, ...cells), cells };
}

function nodeRow(first) {
  const { element, cells } = row(["", "", "", "", "", "", "number", "number", "number", "", "", "control-column"]);
  const button = el("button", { type: "button", class: "control" });
  cells[11].append(button);
  let now = first;
  button.addEventListener("click", () => drain(now));
  const fill = (node) => {
    now = node;
    const { node: speaks, releases } = node.picture;
    const own = node.id === speaks.node_id;
    const said = releases?.nodes.find((release) => release.id === node.id);
    const clock = speaks.health.clocks[node.id];
    say(cells[0], own ? `${node.id} (speaks)` : node.id);
    say(cells[1], ...role(node));
    if (!releases) say(cells[2], "not known", "faint");
    else if (own || said?.release) say(cells[2], "yes", "good");
    else say(cells[2], "no", "bad");
    say(cells[3], node.zone || "–");
    say(cells[4], node.peer);
    say(cells[5], said?.release ?? (own ? speaks.version : "–"));
    say(cells[6], number(node.leads));
    say(cells[7], `${number(node.votes)} of ${number(node.replicas)}`);
    say(cells[8], number(node.lag), node.lag > 1000 ? "number bad" : "number");
    const far = speaks.health.clock_is_far;
    if (own) say(cells[9], far ? "far from others" : "–", far ? "bad" : "faint");
    else if (clock) say(cells[9], `${clock.ahead_ms > 0 ? "+" : ""}${clock.ahead_ms} ms, ± ${clock.error_ms}`, "");
    else say(cells[9], "not known", "faint");
    const { room, disk_free_bytes: free } = speaks.health;
    if (!own) say(cells[10], "ask it", "faint");
    else say(cells[10], `${room}${free === null ? "" : `, ${bytes(free)} free`}`, room === "ample" ? "" : "bad");
    button.hidden = node.state === "leaving";
    say(button, node.state === "member" ? "Drain…" : "Undrain…");
    button.setAttribute("aria-label", `${button.textContent} node ${node.id}`);
  };
  return { element, fill };
}

const name = ({ group }) => (group === 0 ? "system" : `shard ${group}`);

function groups({ groups: all }) {
  keyed(byId("groups"), all, (group) => group.group, groupRow);
}

function groupRow(first) {
  const columns = ["", "", "", "number", "", "number", "number", "number", "number", "number", "control-column"];
  const { element, cells } = row(columns);
  const button = el("button", { type: "button", class: "control" }, "Move leader…");
  cells[10].append(button);
  let now = first;
  button.setAttribute("aria-label", `Move leader of ${name(first)}…`);
  button.addEventListener("click", () => moveLeader(now));
  const fill = (group) => {
    now = group;
    say(cells[0], name(group));
    say(cells[1], group.leader === null ? "none" : `node ${group.leader}`, group.leader === null ? "bad" : "");
    if (group.stuck) say(cells[2], "stuck", "bad");
    else if (group.role === "stopped") say(cells[2], "stopped here", "bad");
    else if (group.leader === null) say(cells[2], "no leader", "bad");
    else if (group.changing) say(cells[2], "changing voters", "wait");
    else say(cells[2], "well", "good");
    say(cells[3], number(group.term));
    keyed(cells[4], group.replicas, (replica) => replica.node, () => {
      const span = el("span");
      const words = (replica) => {
        const silent = replica.heard_ms === null || replica.heard_ms > 3000;
        const part = replica.votes ? "" : ", no vote";
        const heard = silent ? ", silent" : "";
        const bad = silent || replica.lag > 1000;
        say(span, `${replica.node}: ${number(replica.lag)}${part}${heard}`, bad ? "replica bad" : "replica");
      };
      return { element: span, fill: words };
    });
    say(cells[5], number(group.last_log));
    say(cells[6], number(group.applied));
    say(cells[7], number(group.since_snapshot));
    say(cells[8], number(group.places));
    say(cells[9], number(group.orders));
    button.hidden = !group.replicas.some((replica) => replica.votes && replica.node !== group.leader);
  };
  return { element, fill };
}
