// A turn that is not over, followed in its place in the conversation.

import { Answer } from "./message.js";
import { Reply } from "./reply.js";
import { follow } from "./stream.js";

export class Live {
  // `told` is called whenever it has changed, `gone` where there is no such turn any more.
  constructor(id, { streams, told, gone }) {
    this.id = id;
    this.reply = new Reply();
    this.view = new Answer({ streams });
    this.view.show(this.reply);
    this.trouble = "";
    this.editing = false;
    this.leave = follow(id, {
      take: (events, anew) => (events.some((each) => each.event === "Gone") ? gone() : this.take(events, anew, told)),
      trouble: (words) => {
        this.trouble = words;
        told();
      },
    });
  }

  take(events, anew, told) {
    if (anew) this.reply = new Reply();
    for (const event of events) if (this.reply.add(event)) anew = true;
    if (!this.editing) this.view.show(this.reply, anew);
    told();
  }

  // Put the text of the answer into a field, in its place. Resolves to what it has become, or null if it was left.
  edit() {
    this.editing = true;
    return this.view.edit(this.reply).finally(() => {
      this.editing = false;
      this.view.show(this.reply, true);
    });
  }
}
