// The page: what is on it, and what of it does what.

import { Attachments } from "./attachments.js";
import { Bar } from "./bar.js";
import { Chat } from "./chat.js";
import { keys } from "./keys.js";
import { Line } from "./line.js";
import { Models } from "./models.js";
import { Sessions } from "./sessions.js";
import { settings } from "./settings.js";

const $ = (id) => document.getElementById(id);

const attachments = new Attachments($("chips"), { say });
const chat = new Chat($("log"), { changed: show, listed: () => list.refresh(chat.session), say });
const list = new Sessions($("sessions"), $("search"), { gone: (id) => id === chat.session && visit(""), say });
const models = new Models($("models"), $("model-filter"), $("model-list"), { chosen: choose });
const line = new Line($("line"), { submit, changed: show, paste: (files) => attachments.take(files) });
const bar = new Bar($("bar"), {
  drop: (place) => chat.drop(place),
  go: () => resume(),
  edit: () => chat.edit(),
  other: () => models.open(),
  stop: () => chat.stop(),
});

let toasting;
function say(words) {
  $("toast").textContent = words;
  clearTimeout(toasting);
  toasting = setTimeout(() => ($("toast").textContent = ""), 6000);
}

// --- what the line is for now

async function submit() {
  if (chat.live?.reply.rests) {
    await resume();
    return;
  }
  const files = attachments.all();
  const text = line.take();
  if (!text && !files.length) return;
  if (await chat.ask(text, files)) return;
  line.giveBack(text);
  attachments.giveBack(files);
}

// Have the answer go on, as the line says.
async function resume(model = "") {
  const guidance = line.take();
  if (!(await chat.resume(guidance, model)) && guidance) line.giveBack(guidance);
}

function choose(model) {
  settings.model = model;
  if (chat.live?.reply.rests) resume(model);
  show();
  line.focus();
}

// --- what is seen of it

function show() {
  const reply = chat.live?.reply;
  const streams = reply?.state === "streaming";
  bar.show(chat.live, chat.queue.map((each) => each.text));
  const address = chat.session ? `#${chat.session}` : location.pathname;
  if (location.hash.slice(1) !== chat.session) history.pushState(null, "", address);
  write($("title"), chat.session ? chat.title || "untitled" : "New chat");
  document.title = chat.session ? `${chat.title || "untitled"} · llmterm` : "llmterm";
  $("stop").hidden = !reply;
  $("pause").hidden = !streams;
  $("send").hidden = streams && line.empty;
  write($("send"), streams ? "Queue" : !reply?.rests ? "Send" : line.empty ? "Go on" : "Guide");
  write($("keys"), streams ? "Space pauses · Esc stops" : reply?.rests || !settings.enterSends ? "" : "Enter sends");
  write($("model"), reply?.model || settings.model || "the usual model");
  line.field.placeholder = reply?.rests ? "Say how it should go on" : reply ? "The next message" : "Ask something";
  latest();
}

// What is as it was is left alone: this is called for every piece of an answer.
function write(block, words) {
  if (block.textContent !== words) block.textContent = words;
}

function latest() {
  $("latest").hidden = chat.atEnd;
}

function drawer(shown) {
  document.body.classList.toggle("drawer", shown);
  $("veil").hidden = !shown;
  $("menu").setAttribute("aria-expanded", String(shown));
}

async function visit(id) {
  drawer(false);
  await chat.open(id);
  line.focus();
}

// --- what is pressed

keys(line, {
  " ": (event) => {
    if (!chat.live || chat.live.editing || !line.empty || event.target.closest("button, summary, a")) return false;
    if (chat.live.reply.rests) resume();
    else if (!event.repeat) chat.pause();
    return true;
  },
  Escape: () => {
    const over = document.body.classList.contains("drawer");
    if (over) drawer(false);
    else if (chat.live) chat.stop();
    return over || Boolean(chat.live);
  },
  "Alt-N": () => visit("") && true,
  "Alt-M": () => models.open() && true,
  "Alt-E": () => {
    if (!chat.live) chat.reword();
    else if (chat.live.reply.rests && !chat.live.editing) chat.edit();
    return true;
  },
  "Alt-ArrowUp": () => list.step(-1),
  "Alt-ArrowDown": () => list.step(1),
  "Ctrl-K": () => {
    drawer(matchMedia("(max-width: 760px)").matches);
    $("search").focus();
    return true;
  },
});

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
$("pause").addEventListener("click", () => chat.pause());
$("stop").addEventListener("click", () => chat.stop());
$("new").addEventListener("click", () => visit(""));
$("model").addEventListener("click", () => models.open());
$("menu").addEventListener("click", () => drawer(!document.body.classList.contains("drawer")));
$("veil").addEventListener("click", () => drawer(false));
$("log").addEventListener("scroll", () => {
  chat.scrolled();
  latest();
});
new ResizeObserver(() => chat.atEnd && chat.toEnd()).observe($("log"));
$("latest").addEventListener("click", () => chat.toEnd());
$("attach").addEventListener("click", () => $("files").click());
$("files").addEventListener("change", (event) => {
  attachments.take([...event.target.files]);
  event.target.value = "";
});
$("open-settings").addEventListener("click", () => settings.show($("settings"), show));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  attachments.take([...event.dataTransfer.files]);
});
addEventListener("hashchange", () => location.hash.slice(1) !== chat.session && visit(location.hash.slice(1)));
addEventListener("popstate", () => location.hash.slice(1) !== chat.session && visit(location.hash.slice(1)));
addEventListener("focus", () => list.refresh(chat.session));

settings.begin();
visit(location.hash.slice(1));
