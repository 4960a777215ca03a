// An answer as its events make it: the same as llmterm's own reducer. Texts are never compared.

const OVER = ["done", "cancelled"];

export class Reply {
  constructor() {
    this.text = [];
    this.thinking = [];
    this.segments = [];
    this.started = null;
    this.state = "streaming";
    this.reason = null;
    this.words = "";
    // What there is to be said of it now: what it waits for, who has paused it.
    this.notice = null;
    this.seq = 0;
  }

  // An answer of the record that is over.
  static past({ text, thinking, segments, status }) {
    const reply = new Reply();
    push(reply.text, text);
    push(reply.thinking, thinking);
    reply.segments = segments;
    reply.state = status === "interrupted" ? "cancelled" : "done";
    reply.reason = status === "interrupted" ? "cancel" : (segments.at(-1)?.end_reason ?? "stop");
    return reply;
  }

  // Take an event in; return whether something that was there has been taken back.
  add(event) {
    if (event.seq <= this.seq && event.event !== "Retraction") return false; // it was there already
    this.seq = event.seq;
    switch (event.event) {
      case "SegmentStarted":
        this.started = { ...event, start: this.text.length };
        break;
      case "TextDelta":
        push(this.text, event.text);
        if (!this.notice?.by) this.notice = null;
        break;
      case "ThinkingDelta":
        push(this.thinking, event.text);
        break;
      case "Retraction":
        this.text.length = Math.min(this.text.length, event.text);
        this.thinking.length = Math.min(this.thinking.length, event.thinking);
        this.segments = [...event.segments];
        if (this.started) this.started.start = Math.min(this.started.start, event.text);
        return true;
      case "SegmentEnded":
        if (event.segment) this.segments.push(event.segment);
        this.started = null;
        break;
      case "StateChanged":
        this.state = event.state;
        this.reason = event.reason;
        this.words = event.words;
        this.notice = null;
        break;
      case "Notice":
        if (event.text) this.notice = event;
    }
    return false;
  }

  get over() {
    return OVER.includes(this.state);
  }

  get rests() {
    return this.state === "paused" || this.state === "failed";
  }

  // Who writes it, or has last.
  get model() {
    const last = this.started ?? this.segments.at(-1);
    return last ? `${last.provider}/${last.model}` : "";
  }

  // Where it was gone on with.
  get seams() {
    const parts = this.started ? [...this.segments, this.started] : this.segments;
    return parts.filter((each) => each.start > 0);
  }
}

// Places are code points, as the service counts them; a string's own are half characters.
function push(list, text) {
  for (const character of text) list.push(character);
}
