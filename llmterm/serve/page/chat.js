// One session as it is open: what was said in it, the turn that is not over, and what waits to be asked.

import { Problem, sessions, turns } from "./api.js";
import { element } from "./elements.js";
import { Live } from "./live.js";
import { Answer, question, rewritten } from "./message.js";
import { Reply } from "./reply.js";
import { settings } from "./settings.js";
import { follow } from "./stream.js";
import { versions } from "./versions.js";

// Milliseconds after which it is looked what has changed: several changes come together.
const SOON = 100;

export class Chat {
  // `changed` is called whenever something of it has; `listed` when the list of sessions has to be read again; `say`
  // with what went wrong.
  constructor(log, { changed, listed, say }) {
    Object.assign(this, { log, changed, listed, say });
    this.session = "";
    this.title = "";
    // What the service calls the session as it is now, and how the answer in it stood last.
    this.mark = "";
    this.state = "";
    this.live = null;
    this.queue = [];
    this.beginning = false;
    // The row that the session goes back to where what was asked in the place of something earlier comes to nothing.
    this.back = 0;
    this.rows = new Set();
    this.opened = 0;
    this.atEnd = true;
    this.unwatch = () => {};
  }

  // --- what is open

  // Open a session, "" for a new one, in which `queue` waits. One that cannot be read leaves open what is; in place of
  // one that is not there any more there is a new one.
  async open(id, queue = id === this.session ? this.queue : []) {
    const mine = ++this.opened;
    const found = id ? await sessions.show(id).catch((problem) => problem) : {};
    if (mine !== this.opened) return;
    if (found instanceof Problem) this.say(found.message);
    if (found instanceof Problem && found.status !== 404 && this.log.hasChildNodes()) {
      this.changed();
      return;
    }
    this.leave();
    this.queue = queue;
    this.session = found.id ?? "";
    this.title = found.title ?? "";
    if (found.id) this.show(found);
    else this.log.replaceChildren(welcome());
    this.toEnd();
    this.changed();
    this.listed();
  }

  leave() {
    this.live?.leave();
    this.live = null;
    this.unwatch();
    this.unwatch = () => {};
    this.mark = "";
  }

  show(found) {
    const answered = found.turn ? found.messages.slice(0, -1) : found.messages;
    const blocks = answered.map((each) => (each.role === "user" ? this.question(each) : past(each)));
    this.log.replaceChildren(...blocks.map((each) => each.block ?? each));
    this.rows = new Set(rowsOf(found));
    if (found.turn) this.follow(found.turn);
    else if (blocks.at(-1) instanceof Answer) this.last(blocks.at(-1));
    versions(found.versions, found.messages, this.log.children, (row) => this.go(row));
    this.unwatch = follow(found.id, { take: (told) => this.look(told.at(-1).mark), trouble: () => {} });
  }

  // Others may have done something in it: it is looked what, and shown.
  look(mark) {
    if (mark === this.mark) return;
    this.mark = mark;
    clearTimeout(this.looking);
    const mine = this.opened;
    this.looking = setTimeout(async () => {
      const found = await sessions.show(this.session).catch((problem) => problem);
      if (mine !== this.opened) return;
      if (found.status === 404) this.open("");
      if (!found.id) return;
      const rows = rowsOf(found);
      const same = rows.length === this.rows.size && rows.every((each) => this.rows.has(each));
      if (!same || (found.turn && found.turn !== this.live?.id)) this.open(found.id);
      else if (found.title !== this.title) {
        this.title = found.title;
        this.changed();
      }
    }, SOON);
  }

  async go(row) {
    if (await this.tried(() => sessions.go(this.session, row))) await this.open(this.session);
  }

  // --- the turn that is not over

  follow(id) {
    this.live?.leave();
    this.rows.add(Number(id.slice(id.lastIndexOf(".") + 1)));
    const live = new Live(id, {
      streams: settings.streams,
      told: () => this.told(live),
      gone: () => this.open(this.session),
    });
    this.live = live;
    this.log.append(live.view.block);
  }

  told(live) {
    if (live !== this.live) return;
    if (this.atEnd) this.toEnd();
    const { state, over } = live.reply;
    if (over) {
      live.leave();
      this.live = null;
      this.last(live.view);
      this.next();
    }
    if (state !== this.state) this.listed();
    this.state = state;
    this.changed();
  }

  last(view) {
    view.last(() => this.begin({ again: true }));
  }

  // --- what is done with it

  // Ask, now or once what streams is over. Resolves to whether it was taken.
  async ask(text, attachments = []) {
    if (!this.live && !this.beginning) return this.begin({ question: text, attachments });
    this.queue.push({ text, attachments });
    this.changed();
    return true;
  }

  drop(place) {
    this.queue.splice(place, 1);
    this.changed();
  }

  async next() {
    const waiting = this.queue.shift();
    if (waiting && !(await this.begin({ question: waiting.text, attachments: waiting.attachments }))) {
      this.queue.unshift(waiting);
      this.changed();
    }
  }

  async begin(wanted) {
    this.beginning = true;
    this.back = 0;
    try {
      return await this.began(wanted);
    } finally {
      this.beginning = false;
    }
  }

  async began(wanted) {
    const { session } = this;
    const named = { ...wanted, model: settings.model, ...(session ? { session } : {}) };
    const begun = await this.tried(() => turns.begin(named));
    if (!begun) return false;
    if (session !== this.session || this.live?.id === begun.id) return true; // another is open, or it is followed
    if (!session || wanted.again || wanted.replaces) {
      await this.open(begun.session, this.queue);
      return true;
    }
    for (const each of this.log.querySelectorAll(".again")) each.remove();
    this.log.append(this.question({ text: wanted.question, attachments: wanted.attachments }));
    this.follow(begun.id);
    this.toEnd();
    this.changed();
    this.listed();
    return true;
  }

  question(message) {
    return question(message, (block) => this.reword(block));
  }

  // Have a question, the last one where none is named, put otherwise in its place, and ask that.
  async reword(block = [...this.log.querySelectorAll(".question")].at(-1)) {
    if (!block || block.querySelector(".edited") || this.live || this.beginning) return;
    const said = block.querySelector(".said");
    const before = said.textContent;
    const text = (await rewritten(said, before, "The question, to be changed"))?.trim();
    said.textContent = before;
    if (text && text !== before) await this.replace([...this.log.children].indexOf(block), text);
  }

  // Ask something in the place of the question that is there: what was said from there on stays beside it.
  async replace(place, text) {
    const { session } = this;
    const found = await this.tried(() => sessions.show(session));
    const asked = found?.messages[place];
    if (asked?.role !== "user") return;
    const next = found.messages.slice(place + 1).find((each) => each.role === "user");
    if (next && !(await this.tried(() => sessions.undo(session, next.row)))) return;
    const keeps = asked.attachments.map((each) => each.name);
    const begun = await this.begin({ question: text, replaces: true, keeps });
    if (!next) return;
    const last = found.messages.at(-1).row;
    if (begun) this.back = last;
    else await this.go(last);
  }

  pause() {
    return this.tried(() => turns.pause(this.live.id, by()));
  }

  async stop() {
    const { live, back } = this;
    const stopped = await this.tried(() => turns.cancel(live.id, by()));
    if (stopped && back && !live.reply.text.length) await this.go(back);
  }

  // Have it go on, with a word of guidance and by another model where there are any.
  resume(guidance = "", model = "") {
    return this.tried(() => turns.resume(this.live.id, { guidance, model, by: by() }));
  }

  async edit() {
    const { live } = this;
    const before = live.reply.text.join("");
    const editing = live.edit();
    this.changed();
    const text = await editing;
    if (text !== null && text !== before) await this.tried(() => turns.edit(live.id, text, by()));
    this.changed();
  }

  // Resolves to null where it could not be done, which is said.
  async tried(act) {
    try {
      return await act();
    } catch (problem) {
      this.say(problem.message);
      return null;
    }
  }

  // --- where the reader is

  // Whoever has scrolled further up is left there.
  scrolled() {
    this.atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80;
  }

  toEnd() {
    this.log.scrollTop = this.log.scrollHeight;
    this.atEnd = true;
  }
}

const by = () => settings.name || "a browser";

const rowsOf = ({ messages }) => messages.filter((each) => each.role === "assistant").map((each) => each.row);

// An answer that is over.
function past(message) {
  const view = new Answer();
  view.show(Reply.past(message));
  return view;
}

function welcome() {
  const block = element("div", "welcome");
  block.append(
    element("h2", "", "Ask something."),
    element("p", "", "Space pauses the answer, at any instant. Type, and it goes on as you say."),
  );
  return block;
}
