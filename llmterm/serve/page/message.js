// What is said, as it is seen: a question, or an answer with its thinking, its text and what it took.

import { copies } from "./clipboard.js";
import { button, element } from "./elements.js";
import { figures } from "./figures.js";
import { Markdown } from "./markdown.js";

const ENDS = {
  length: "cut at its limit",
  limit: "cut at its limit",
  refusal: "ended by the provider's filter",
  other: "ended by the provider",
  network: "the connection was lost",
  timeout: "nothing came for too long",
  cancel: "stopped",
  crash: "the service was ended",
  marker: "the model has stopped itself",
  restart: "the model has started over",
};

// `edit(block)` is called by who wants to ask it otherwise.
export function question({ text, attachments = [] }, edit) {
  const block = element("article", "question");
  block.setAttribute("aria-label", "You");
  block.append(element("div", "said", text), ...attachments.map((each) => element("span", "chip", each.name)));
  block.append(button("Edit", "Ask it otherwise: what was said from here on stays beside it", () => edit(block)));
  return block;
}

// Put a text into a field in a block. Resolves to what it is changed to, null where it is left as it was.
export function rewritten(block, text, label) {
  const field = element("textarea", "edited");
  field.value = text;
  field.setAttribute("aria-label", label);
  const row = element("div", "tools");
  block.replaceChildren(field, row);
  field.style.setProperty("height", `${field.scrollHeight + 4}px`);
  field.focus();
  return new Promise((resolve) => {
    const keep = () => resolve(field.value);
    const leave = () => resolve(null);
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") leave();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) keep();
    });
    row.append(button("Keep the change", "Ctrl-Enter", keep), button("Leave it as it was", "Esc", leave));
  });
}

// An answer. `streams` is whether it is shown as it comes, or when it rests.
export class Answer {
  constructor({ streams = true } = {}) {
    this.streams = streams;
    this.block = element("article", "answer");
    this.block.setAttribute("aria-label", "Answer");
    this.thinking = element("details", "thinking");
    this.thoughts = element("div");
    this.thinking.append(element("summary", "", "Thinking"), this.thoughts);
    this.body = element("div", "text");
    this.wait = element("div", "wait");
    this.wait.append(element("span"), element("span"), element("span"));
    this.end = element("p", "end");
    this.took = element("span", "figures");
    this.tools = element("span", "tools");
    this.foot = element("footer");
    this.foot.append(this.end, this.took, this.tools);
    this.block.append(this.thinking, this.body, this.wait, this.foot);
    this.markdown = new Markdown(this.body);
    this.begin();
  }

  // Nothing of it is shown yet.
  begin() {
    this.markdown.clear();
    this.thoughts.textContent = "";
    this.shown = this.thought = this.seam = 0;
    this.closed = false;
  }

  // Show a reply as it is now; `anew` where something of it was taken back.
  show(reply, anew = false) {
    // What was withheld in case more should come is shown at rest; to go on, it is all read once more.
    const more = reply.text.length > this.shown || reply.thinking.length > this.thought;
    if (anew || (this.closed && more)) this.begin();
    const streaming = reply.state === "streaming";
    if (this.streams || !streaming) this.grow(reply);
    this.thinking.hidden = !this.thought;
    this.thinking.classList.toggle("now", streaming && !this.shown);
    this.wait.hidden = !streaming || (this.streams && this.shown > 0);
    this.block.dataset.state = reply.state;
    if (streaming) {
      this.foot.hidden = true;
      return;
    }
    if (!this.closed) this.markdown.end();
    this.closed = true;
    this.rest(reply);
  }

  grow(reply) {
    if (reply.thinking.length > this.thought) {
      this.thoughts.append(reply.thinking.slice(this.thought).join(""));
      this.thought = reply.thinking.length;
    }
    for (const seam of reply.seams) {
      if (seam.start <= this.seam || seam.start < this.shown || seam.start >= reply.text.length) continue;
      this.write(reply, seam.start);
      this.markdown.seam(`${seam.provider}/${seam.model} went on here${seam.guidance ? `: “${seam.guidance}”` : ""}`);
      this.seam = seam.start;
    }
    this.write(reply, reply.text.length);
  }

  write(reply, upto) {
    if (upto > this.shown) this.markdown.write(reply.text.slice(this.shown, upto).join(""));
    this.shown = upto;
  }

  // What it took, who wrote it, and how it has ended where that was no usual end.
  rest(reply) {
    const why = reply.state === "failed" ? reply.words || "it failed" : ENDS[reply.reason];
    this.end.textContent = why && reply.state !== "paused" ? `■ ${why}` : "";
    this.took.textContent = reply.over ? figures(reply.segments) : "";
    this.foot.hidden = reply.state === "paused";
    if (!reply.over || this.tools.childNodes.length) return;
    const copied = this.tools.appendChild(button("Copy", "Copy the answer, as it was written"));
    copies(copied, () => reply.text.join(""));
  }

  // Resolves to what the text is changed to, in its place; null where it is left as it was.
  edit(reply) {
    return rewritten(this.body, reply.text.join(""), "The answer, to be changed");
  }

  // It is the last one, which can be asked for again.
  last(again) {
    const made = this.tools.appendChild(button("Again", "Ask again: this answer stays beside the other", again));
    made.className = "again";
  }
}
