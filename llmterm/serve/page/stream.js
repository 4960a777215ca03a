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

// Calls `take(events, anew)` with all that a turn tells, from its beginning on, `anew` where that is told once more; and
// `trouble(words)` when the service is lost, and with "" when it is found again. Returns what ends it.
export function follow(turn, { take, trouble }) {
  const taker = (told) => (told.events ? take(told.events, Boolean(told.anew)) : trouble(told.trouble));
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
