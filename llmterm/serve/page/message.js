// What is said, as it is seen: a question, or an answer with its thinking, its text and what it took.

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

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

export function question(message) {
  const block = element("article", "question");
  block.setAttribute("aria-label", "You");
  block.append(element("div", "said", message.text));
  for (const each of message.attachments ?? []) block.append(element("span", "chip", each.name));
  return block;
}

// An answer. `streams` is whether it is shown as it comes, or when it rests.
export class Answer {
  constructor({ streams = true } = {}) {
    this.streams = streams;
    this.block = element("article", "answer");
    this.block.setAttribute("aria-label", "Answer");
    this.thinking = element("details", "thinking");
    this.thinking.append(element("summary", "", "Thinking"), element("div"));
    this.thinking.hidden = true;
    this.body = element("div", "text");
    this.wait = element("div", "wait");
    this.wait.append(element("span"), element("span"), element("span"));
    this.foot = element("footer");
    this.block.append(this.thinking, this.wait, this.body, this.foot);
    this.markdown = new Markdown(this.body);
    this.shown = 0;
    this.thought = 0;
    this.closed = false;
  }

  // Show a reply as it is now.
  show(reply, anew = false) {
    // What was withheld in case more should come is shown at rest; to go on, it is all read once more.
    const more = reply.text.length > this.shown || reply.thinking.length > this.thought;
    if (anew || (this.closed && more)) {
      this.markdown.clear();
      this.thinking.lastChild.textContent = "";
      this.shown = this.thought = 0;
      this.closed = false;
    }
    const streaming = reply.state === "streaming";
    if (this.streams || !streaming) {
      if (reply.thinking.length > this.thought) {
        this.thinking.lastChild.append(reply.thinking.slice(this.thought).join(""));
        this.thought = reply.thinking.length;
      }
      if (reply.text.length > this.shown) {
        this.markdown.write(reply.text.slice(this.shown).join(""));
        this.shown = reply.text.length;
      }
    }
    this.thinking.hidden = !this.thought;
    this.thinking.classList.toggle("now", streaming && !this.shown);
    this.wait.hidden = !streaming || (this.streams && this.shown > 0);
    this.block.dataset.state = reply.state;
    if (!streaming && !this.closed) {
      this.markdown.end();
      this.closed = true;
    }
    this.figures(reply);
  }

  // What it took, who wrote it, and how it has ended where that was no usual end.
  figures(reply) {
    this.foot.replaceChildren();
    if (reply.state === "streaming") return;
    const why = reply.state === "failed" ? reply.words || "it failed" : ENDS[reply.reason];
    if (why && reply.state !== "paused") this.foot.append(element("p", "end", `■ ${why}`));
    if (!reply.over) return;
    const line = figures(reply.segments);
    if (line) this.foot.append(element("span", "figures", line));
    this.tools = this.foot.appendChild(element("span", "tools"));
  }

  tool(words, title, act) {
    if (!this.tools) return;
    const made = element("button", "", words);
    made.type = "button";
    made.title = title;
    made.addEventListener("click", act);
    this.tools.append(made);
  }
}

// Return who has written an answer and what it took; segments may be as events or as sessions have them.
export function figures(segments) {
  if (!segments.length) return "";
  const models = [...new Set(segments.map((each) => `${each.provider}/${each.model}`))];
  const sum = (of) => segments.reduce((all, each) => all + (of(each) ?? 0), 0);
  const tokens = sum((each) => each.output_tokens ?? each.usage?.output_tokens);
  const asked = sum((each) => each.input_tokens ?? each.usage?.input_tokens);
  const seconds = sum((each) => each.duration_ms ?? each.timing?.duration_ms) / 1000;
  const first = segments[0].first_token_ms ?? segments[0].timing?.first_token_ms;
  const cost = sum((each) => each.cost);
  const parts = [models.join(", ")];
  if (segments.length > 1) parts.push(`${segments.length} parts`);
  if (tokens) parts.push(`${asked.toLocaleString("en")} + ${tokens.toLocaleString("en")} tokens`);
  if (tokens && seconds > 0.5) parts.push(`${Math.round(tokens / seconds)} a second`);
  if (first != null) parts.push(`first after ${(first / 1000).toFixed(1)} s`);
  if (cost) parts.push(cost < 0.01 ? `${cost.toFixed(4)}` : cost.toFixed(2));
  return parts.join(" · ");
}
