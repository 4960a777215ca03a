// One connection for all tabs of a browser.

import { Channel } from "./channel.js";

const channel = new Channel();

onconnect = ({ ports: [port] }) => {
  const takers = new Map();
  const leave = (turn) => {
    channel.leave(turn, takers.get(turn));
    takers.delete(turn);
  };
  port.onmessage = ({ data }) => {
    if (data.follow) {
      if (takers.has(data.follow)) leave(data.follow);
      takers.set(data.follow, (told) => port.postMessage({ turn: data.follow, ...told }));
      channel.follow(data.follow, takers.get(data.follow));
    } else if (data.leave) leave(data.leave);
    else if (data.bye) for (const turn of [...takers.keys()]) leave(turn);
  };
};
