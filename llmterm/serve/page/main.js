// The page: one session, the line below it, and the keys. SPACE pauses and goes on, Esc stops, what is typed at a pause
// guides the rest.

import { sessions as stored, turns } from "./api.js";
import { Attachments } from "./attachments.js";
import { Answer, element, question } from "./message.js";
import { Models } from "./models.js";
import { Reply } from "./reply.js";
import { Sessions } from "./sessions.js";
import { settings } from "./settings.js";
import { follow } from "./stream.js";

const $ = (id) => document.getElementById(id);
const log = $("log");
const line = $("line");

// What is open: a session, "" for a new one, and the turn in it that is not over.
let session = "";
let turn = null;
let opened = 0;
let queue = [];
// Ends the watching of the session that is open.
let unwatch = () => {};

// --- words

let toasting;
function say(words) {
  $("toast").textContent = words;
  clearTimeout(toasting);
  toasting = setTimeout(() => ($("toast").textContent = ""), 6000);
}

async function tried(act) {
  try {
    return await act();
  } catch (problem) {
    say(problem.message);
    return null;
  }
}

const attachments = new Attachments($("chips"), { say });
const list = new Sessions($("sessions"), $("search"), { open, say });
const models = new Models($("models"), $("model-filter"), $("model-list"), { chosen: choose, say });

// --- a turn

class Open {
  constructor(id, reply = new Reply()) {
    this.id = id;
    this.reply = reply;
    this.view = new Answer({ streams: settings.streams });
    this.lost = false;
    log.append(this.view.block);
    this.view.show(reply);
    this.leave = follow(id, (events) => this.take(events), (lost) => this.trouble(lost));
  }

  take(events) {
    const near = nearEnd();
    const before = this.reply.state;
    let anew = false;
    for (const event of events) {
      const changed = this.reply.add(event);
      anew ||= changed === "all";
      if (changed === "notice" && event.text && !event.text.startsWith("the service")) this.notice = event;
    }
    this.view.show(this.reply, anew);
    if (near) toEnd();
    status();
    if (this.reply.over && before !== this.reply.state) ended(this);
    else if (before !== this.reply.state) list.refresh();
  }

  trouble(lost) {
    this.lost = lost;
    status();
  }

  close() {
    this.leave();
  }
}

async function ended(over) {
  if (over !== turn) return;
  turn.close();
  turn = null;
  status();
  list.refresh();
  await tools(over.view);
  const next = queue.shift();
  if (next) await send(next);
}

async function tools(view) {
  view.tool("Copy", "Copy the answer", () => navigator.clipboard.writeText(view.body.innerText));
  view.tool("Again", "Ask again", () => tried(() => begin({ again: true })));
}

// --- a session

async function open(id, { keep = false } = {}) {
  const mine = ++opened;
  turn?.close();
  turn = null;
  unwatch();
  unwatch = () => {};
  queue = keep ? queue : [];
  session = id;
  list.current = id;
  if (location.hash.slice(1) !== id) history.pushState(null, "", id ? `#${id}` : location.pathname);
  drawer(false);
  if (!id) {
    log.replaceChildren(welcome());
    $("title").textContent = "New chat";
    document.title = "llmterm";
    list.refresh();
    status();
    line.focus();
    return;
  }
  const found = await tried(() => stored.show(id));
  if (mine !== opened) return;
  if (!found) {
    open("");
    return;
  }
  $("title").textContent = found.title || "untitled";
  document.title = `${found.title || "untitled"} · llmterm`;
  log.replaceChildren();
  const answers = found.turn ? found.messages.slice(0, -1) : found.messages;
  let last = null;
  for (const message of answers) {
    if (message.role === "user") log.append(question(message));
    else last = past(message);
  }
  if (found.turn) turn = new Open(found.turn);
  if (found.versions.length) versions(found, mine);
  if (last && !found.turn) tools(last);
  watch(id, mine);
  toEnd();
  status();
  list.refresh();
  line.focus();
}

// Somebody else may ask in it: that is followed here, too.
function watch(id, mine) {
  let first = true;
  unwatch = follow(
    id,
    (events) => {
      const now = events.at(-1).turn;
      if (mine === opened && !first && now && now !== turn?.id) open(id, { keep: true });
      first = false;
    },
    () => {},
  );
}

// An answer that is over.
function past(message) {
  const reply = new Reply();
  reply.text = [...message.text];
  reply.thinking = [...message.thinking];
  reply.segments = message.segments;
  reply.state = message.status === "interrupted" ? "cancelled" : "done";
  reply.reason = message.status === "interrupted" ? "cancel" : (message.segments.at(-1)?.end_reason ?? "stop");
  const view = new Answer();
  view.row = message.row;
  log.append(view.block);
  view.show(reply);
  return view;
}

// Where something was said in the place of something else: arrows that go from one to the other.
async function versions(found, mine) {
  const known = await tried(() => stored.versions(found.id));
  if (!known || mine !== opened) return;
  const blocks = [...log.querySelectorAll("article")];
  found.messages.forEach((message, at) => {
    const fork = known.versions.find((rows) => rows.some((each) => each.row === message.row));
    if (!fork || !blocks[at]) return;
    const place = fork.findIndex((each) => each.row === message.row);
    const bar = element("nav", "versions");
    bar.setAttribute("aria-label", "Versions");
    const arrow = (words, label, to) => {
      const made = bar.appendChild(element("button", "", words));
      made.type = "button";
      made.setAttribute("aria-label", label);
      made.disabled = !fork[to];
      made.addEventListener("click", async () => {
        if (await tried(() => stored.go(found.id, fork[to].row))) open(found.id);
      });
    };
    arrow("‹", "The version before", place - 1);
    bar.append(element("span", "", `${place + 1}/${fork.length}`));
    arrow("›", "The version after", place + 1);
    blocks[at].append(bar);
  });
}

function welcome() {
  const block = element("div", "welcome");
  block.append(
    element("h2", "", "Ask something."),
    element("p", "", "SPACE pauses the answer, at any instant. Type, and it goes on as you say."),
  );
  return block;
}

// --- asking

async function send(text) {
  const asked = { question: text, attachments: attachments.values };
  if (await tried(() => begin(asked))) return;
  line.value ||= text; // nothing that was typed is lost
  grow();
}

async function begin(wanted) {
  const begun = await turns.begin({ ...wanted, model: settings.model, ...(session ? { session } : {}) });
  attachments.clear();
  await open(begun.session, { keep: true });
  return begun;
}

async function submit() {
  const text = line.value.trim();
  if (turn?.reply.rests) {
    line.value = "";
    grow();
    await resume(text);
  } else if (turn) {
    if (!text) return;
    queue.push(text);
    line.value = "";
    grow();
    status();
  } else if (text) {
    line.value = "";
    grow();
    await send(text);
  }
}

const by = () => settings.name || "a browser";
const pause = () => turn && tried(() => turns.pause(turn.id, by()));
const stop = () => turn && tried(() => turns.cancel(turn.id, by()));

async function resume(guidance = "", model = "") {
  if (!turn) return;
  if (!(await tried(() => turns.resume(turn.id, { guidance, model, by: by() }))) && guidance) {
    line.value ||= guidance;
    grow();
  }
}

function choose(model) {
  settings.model = model;
  if (turn?.reply.rests) resume("", model);
  status();
}

// --- what stands above the line

function status() {
  const bar = $("bar");
  const reply = turn?.reply;
  bar.dataset.state = turn?.lost ? "lost" : (reply?.state ?? "");
  bar.replaceChildren();
  for (const text of queue) {
    const row = bar.appendChild(element("div", "queued", text));
    const drop = row.appendChild(element("button", "", "×"));
    drop.type = "button";
    drop.setAttribute("aria-label", "Take it out of the queue");
    drop.addEventListener("click", () => {
      queue = queue.filter((each) => each !== text);
      status();
    });
  }
  const words = bar.appendChild(element("p"));
  if (turn?.lost) words.textContent = "the service is not there: what came is kept, and it goes on where it was";
  else if (reply?.state === "paused") paused(words, reply);
  else if (reply?.state === "failed") {
    words.append(element("strong", "", "failed"), " SPACE tries again · Esc leaves it");
  } else if (reply?.state === "streaming" && turn.notice) words.textContent = turn.notice.text;
  if (!words.childNodes.length) words.remove();
  $("stop").hidden = !turn;
  $("send").textContent = reply?.state === "streaming" ? "Queue" : reply?.rests ? (line.value.trim() ? "Guide" : "Go on") : "Send";
  $("keys").textContent =
    reply?.state === "streaming" ? "SPACE pauses · Esc stops" : reply?.rests ? "" : "Enter sends";
  $("model").textContent = reply?.model || settings.model || "the usual model";
  line.placeholder = reply?.rests ? "Say how it should go on, or press SPACE" : turn ? "The next message" : "Ask something";
}

function paused(words, reply) {
  const why = turn.notice?.text?.startsWith("paused") ? turn.notice.text : reply.reason === "pause" ? "paused" : `paused: ${REASONS[reply.reason] ?? reply.reason}`;
  words.append(element("strong", "", why), " SPACE goes on · type to guide it · ");
  const act = (label, run) => {
    const made = words.appendChild(element("button", "", label));
    made.type = "button";
    made.addEventListener("click", run);
    words.append(" ");
  };
  act("Edit", edit);
  act("Another model", () => models.open());
}

const REASONS = {
  network: "the connection was lost",
  timeout: "nothing came for too long",
  length: "it has reached its limit",
  crash: "the service was ended",
  marker: "the model has stopped itself",
  continuation: "the provider has paused it",
  restart: "the model has started over",
};

// The answer as a text that can be changed, in its place.
function edit() {
  const { reply, view, id } = turn;
  const field = element("textarea", "edited");
  field.value = reply.text.join("");
  field.setAttribute("aria-label", "The answer, to be changed");
  view.body.replaceChildren(field);
  field.style.setProperty("height", `${field.scrollHeight + 4}px`);
  field.focus();
  const done = async (keep) => {
    if (keep && field.value !== reply.text.join("")) await tried(() => turns.edit(id, field.value, by()));
    view.show(reply, true);
    line.focus();
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") done(false);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) done(true);
  });
  const row = view.body.appendChild(element("div", "tools"));
  for (const [label, keep] of [["Keep the change (Ctrl-Enter)", true], ["Leave it as it was (Esc)", false]]) {
    const made = row.appendChild(element("button", "", label));
    made.type = "button";
    made.addEventListener("click", () => done(keep));
  }
}

// --- the window

const nearEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 120;
const toEnd = () => (log.scrollTop = log.scrollHeight);

function grow() {
  line.style.setProperty("height", "auto");
  line.style.setProperty("height", `${Math.min(line.scrollHeight, innerHeight * 0.4)}px`);
  status();
}

function drawer(shown) {
  document.body.classList.toggle("drawer", shown);
  $("veil").hidden = !shown;
  $("menu").setAttribute("aria-expanded", String(shown));
}

const typing = (target) => target.matches("input, textarea, select, [contenteditable]") && target !== line;

addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || typing(event.target) || event.isComposing) return;
  if (event.altKey && event.code === "KeyN") open("");
  else if (event.altKey && event.code === "KeyM") models.open();
  else if (event.key === "Escape" && turn) stop();
  else if (event.key === " " && turn && !line.value && !event.target.closest?.("button, summary, a")) {
    if (turn.reply.rests) resume();
    else if (!event.repeat) pause();
  } else if (event.key === "/" && event.target !== line) $("search").focus();
  else {
    if (event.target !== line && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) line.focus();
    return;
  }
  event.preventDefault();
});

line.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  const sends = settings.enterSends ? !event.shiftKey && !event.altKey : event.ctrlKey || event.metaKey;
  if (!sends) return;
  event.preventDefault();
  submit();
});
line.addEventListener("input", grow);
line.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length) attachments.take(files);
});
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
$("stop").addEventListener("click", stop);
$("new").addEventListener("click", () => open(""));
$("model").addEventListener("click", () => models.open());
$("menu").addEventListener("click", () => drawer(!document.body.classList.contains("drawer")));
$("veil").addEventListener("click", () => drawer(false));
$("attach").addEventListener("click", () => $("files").click());
$("files").addEventListener("change", (event) => {
  attachments.take([...event.target.files]);
  event.target.value = "";
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  attachments.take([...event.dataTransfer.files]);
});
addEventListener("popstate", () => open(location.hash.slice(1)));
addEventListener("hashchange", () => location.hash.slice(1) !== session && open(location.hash.slice(1)));
addEventListener("focus", () => list.refresh());
$("open-settings").addEventListener("click", () => settings.show($("settings")));

settings.begin();
open(location.hash.slice(1));
