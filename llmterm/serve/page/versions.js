// Where something was said in the place of something else: arrows that go from one to the other.

import { button, element } from "./elements.js";

// `blocks` are those of the messages; `go(row)` goes over to the version of that row.
export function versions(forks, messages, blocks, go) {
  messages.forEach(({ row }, at) => {
    const fork = forks.find((each) => each.includes(row));
    if (!fork || !blocks[at]) return;
    const rows = fork.toSorted((one, other) => one - other); // as they came; the one that was looked at last is last
    const place = rows.indexOf(row);
    const bar = blocks[at].appendChild(element("nav", "versions"));
    bar.setAttribute("aria-label", "Versions");
    const arrow = (words, title, to) => {
      const made = button(words, title, () => go(rows[to]));
      made.disabled = !rows[to];
      return made;
    };
    bar.append(
      arrow("‹", "The version before", place - 1),
      element("span", "", `${place + 1}/${rows.length}`),
      arrow("›", "The version after", place + 1),
    );
  });
}
