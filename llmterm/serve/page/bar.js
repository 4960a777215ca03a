// What stands above the line: what waits, how the answer stands, and what can be done with it.

import { button, element } from "./elements.js";

const REASONS = {
  network: "the connection was lost",
  timeout: "nothing came for too long",
  length: "it has reached its limit",
  crash: "the service was ended",
  marker: "the model has stopped itself",
  continuation: "the provider has paused it",
  restart: "the model has started over",
};

export class Bar {
  constructor(block, { drop, go, edit, other, stop }) {
    this.block = block;
    this.acts = { go, edit, other, stop };
    this.queued = element("ul", "queue");
    this.queued.setAttribute("aria-label", "Waiting to be asked");
    this.queued.addEventListener("click", (event) => {
      const row = event.target.closest("button")?.parentElement;
      if (row) drop([...this.queued.children].indexOf(row));
    });
    // Only words are told by a screen reader, once each; buttons that come with them are not.
    this.words = element("p");
    this.words.setAttribute("role", "status");
    this.does = element("div", "does");
    this.state = element("div", "state");
    this.state.append(this.words, this.does);
    block.append(this.queued, this.state);
  }

  show(live, queue) {
    const reply = live?.reply;
    const state = live?.trouble ? "lost" : live?.editing ? "editing" : (reply?.state ?? "");
    const words = this.said(live, state);
    if (this.block.dataset.state !== state) {
      this.block.dataset.state = state;
      this.does.replaceChildren(...this.buttons(state));
    }
    if (this.words.textContent !== words) this.words.textContent = words;
    this.state.hidden = !words;
    if (this.queued.children.length !== queue.length) {
      this.queued.replaceChildren(
        ...queue.map((text) => {
          const row = element("li", "queued", text);
          row.append(button("×", "Take it out of the queue"));
          return row;
        }),
      );
    }
  }

  said(live, state) {
    switch (state) {
      case "lost":
        return live.trouble;
      case "editing":
        return "Ctrl-Enter keeps the change, Esc leaves it";
      case "failed":
        return "Failed";
      case "paused": {
        const { notice, reason } = live.reply;
        if (notice?.by) return capital(notice.text);
        return reason === "pause" ? "Paused" : `Paused: ${REASONS[reason] ?? reason}`;
      }
      case "streaming":
        return live.reply.notice?.text ?? "";
      default:
        return "";
    }
  }

  buttons(state) {
    const { go, edit, other, stop } = this.acts;
    if (state === "paused") {
      return [
        act("Space", "goes on", go, "twice"),
        element("span", "hint", "type to guide it"),
        act("Alt-E", "edit", edit),
        act("Alt-M", "model", other),
        act("Esc", "stops", stop, "twice"),
      ];
    }
    if (state === "failed") {
      return [
        act("Space", "tries again", go, "twice"),
        act("Alt-M", "another model", other),
        act("Esc", "leaves it", stop, "twice"),
      ];
    }
    return [];
  }
}

// What the line has a button for, too, is left out where there is no room for it `twice`.
function act(key, words, run, className = "") {
  const made = button("", "", run);
  made.className = className;
  made.append(element("kbd", "", key), ` ${words}`);
  return made;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
