// What turns tell, live. A browser gives a host six connections: all its tabs share one, held by a worker.

import { Channel } from "./channel.js";

const shared = "SharedWorker" in globalThis ? new SharedWorker("/page/worker.js", { type: "module", name: "llmterm" }) : null;
const own = shared ? null : new Channel();
const takers = new Map();

if (shared) {
  shared.port.onmessage = ({ data }) => takers.get(data.turn)?.(data);
  shared.port.start();
  addEventListener("pagehide", () => shared.port.postMessage({ bye: true }));
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) for (const turn of takers.keys()) shared.port.postMessage({ follow: turn });
  });
}

// Calls `take(events)` with all that a turn tells, from its beginning on, and `trouble(whether)` when the service is
// lost and found again. Returns what ends it.
export function follow(turn, take, trouble) {
  const taker = ({ events, lost }) => (events ? take(events) : trouble(lost));
  takers.set(turn, taker);
  if (shared) shared.port.postMessage({ follow: turn });
  else own.follow(turn, taker);
  return () => {
    if (takers.get(turn) !== taker) return;
    takers.delete(turn);
    if (shared) shared.port.postMessage({ leave: turn });
    else own.leave(turn, taker);
  };
}
