// One connection on which any number of turns, and of sessions, tell what they have to tell: it comes back by itself to
// where it was.

const SOON = 15;
const WAIT = 400;
const LONGEST = 8000;
const LOST = "The service is not there. What came is kept, and it goes on where it was once it is back.";
const REFUSED = {
  401: "The service has another token now: open the link that llmterm serve prints.",
  429: "The service has as many readers as it may have. This goes on where it was once there is room.",
};

export class Channel {
  constructor() {
    this.turns = new Map();
    this.connection = null;
    this.wait = WAIT;
    this.trouble = "";
  }

  // Have all that a turn has told, and will tell, given to `taker({events})`, what it has told so far as `anew`; and
  // `taker({trouble})` what becomes of the connection, "" for nothing bad.
  follow(turn, taker) {
    const known = this.turns.get(turn);
    if (known) {
      known.takers.add(taker);
      if (known.events.length) taker({ events: known.events, anew: true });
      if (this.trouble) taker({ trouble: this.trouble });
      return;
    }
    this.turns.set(turn, { events: [], takers: new Set([taker]), over: false });
    this.again();
  }

  leave(turn, taker) {
    const known = this.turns.get(turn);
    known?.takers.delete(taker);
    if (known && !known.takers.size) {
      this.turns.delete(turn);
      this.again();
    }
  }

  // Connect anew: other turns are followed now.
  again(after = SOON) {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => {
      this.connection?.abort();
      this.connection = null;
      const wanted = [...this.turns].filter(([, known]) => !known.over);
      if (wanted.length) this.connect(wanted);
    }, after);
  }

  async connect(wanted) {
    const connection = (this.connection = new AbortController());
    const query = new URLSearchParams();
    for (const [name, known] of wanted) {
      if (isTurn(name)) query.append("turn", `${name}:${known.events.at(-1)?.seq ?? 0}`);
      else query.append("session", name);
    }
    try {
      const response = await fetch(`/v1/events?${query}`, { signal: connection.signal });
      if (!response.ok) throw new Error(REFUSED[response.status] ?? LOST);
      this.tell("");
      this.wait = WAIT;
      await this.read(response.body.getReader());
      if (connection === this.connection) this.again(WAIT);
    } catch (problem) {
      if (connection !== this.connection) return; // another has taken its place
      this.tell(Object.values(REFUSED).includes(problem.message) ? problem.message : LOST);
      this.wait = Math.min(LONGEST, this.wait * 2);
      this.again(this.wait);
    }
  }

  async read(reader) {
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const frames = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = frames.pop();
      const told = new Map();
      for (const frame of frames) {
        const line = frame.split("\n").find((each) => each.startsWith("data: "));
        if (!line) continue;
        const event = JSON.parse(line.slice(6));
        const name = event.event ? event.turn : event.id;
        if (!told.has(name)) told.set(name, []);
        told.get(name).push(event);
      }
      for (const [turn, events] of told) this.take(turn, events);
    }
  }

  take(turn, events) {
    const known = this.turns.get(turn);
    if (!known) return;
    if (!isTurn(turn)) {
      known.events = events.slice(-1);
      for (const taker of known.takers) taker({ events });
      return;
    }
    for (const event of events) keep(known.events, event);
    known.over = events.at(-1).event === "Gone" || ["done", "cancelled"].includes(events.findLast((each) => each.state)?.state);
    for (const taker of known.takers) taker({ events });
  }

  tell(trouble) {
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    for (const { takers } of this.turns.values()) for (const taker of takers) taker({ trouble });
  }
}

// A turn is called SESSION.ROW; one that is on no record has no session to be followed.
const isTurn = (name) => name.includes(".") || name.startsWith("unkept-");

// Keep an event for tabs that come later; text that follows text is one event with it.
function keep(events, event) {
  const last = events.at(-1);
  if (last && last.event === event.event && ["TextDelta", "ThinkingDelta"].includes(event.event)) {
    events[events.length - 1] = { ...event, text: last.text + event.text, chunks: last.chunks + event.chunks };
  } else {
    events.push(event);
  }
}
