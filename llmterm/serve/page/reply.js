// An answer as its events make it: the same as llmterm's own reducer. Texts are never compared.

export const OVER = ["done", "cancelled"];

export class Reply {
  constructor() {
    this.text = [];
    this.thinking = [];
    this.segments = [];
    this.state = "streaming";
    this.reason = null;
    this.words = "";
    this.notice = null;
    this.model = "";
    this.seq = 0;
  }

  // Take an event in; return what has changed: "text", "thinking", "all", "state", "notice", or "".
  add(event) {
    if (event.seq <= this.seq && event.event !== "Retraction") return ""; // it was there already
    this.seq = event.seq;
    switch (event.event) {
      case "SegmentStarted":
        this.model = `${event.provider}/${event.model}`;
        this.started = { at: this.text.length, guidance: event.guidance, model: this.model };
        return "state";
      case "TextDelta":
        push(this.text, event.text);
        return "text";
      case "ThinkingDelta":
        push(this.thinking, event.text);
        return "thinking";
      case "Retraction":
        this.text.length = Math.min(this.text.length, event.text);
        this.thinking.length = Math.min(this.thinking.length, event.thinking);
        this.segments = [...event.segments];
        return "all";
      case "SegmentEnded":
        if (event.segment) this.segments.push(event.segment);
        return "state";
      case "StateChanged":
        this.state = event.state;
        this.reason = event.reason;
        this.words = event.words;
        return "state";
      case "Notice":
        this.notice = event;
        return "notice";
      default:
        return "";
    }
  }

  get over() {
    return OVER.includes(this.state);
  }

  get rests() {
    return this.state === "paused" || this.state === "failed";
  }
}

// Places are code points, as the service counts them; a string's own are half characters.
function push(list, text) {
  for (const character of text) list.push(character);
}
