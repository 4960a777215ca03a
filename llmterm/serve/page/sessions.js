// The sessions at the left: searched, opened, renamed, deleted.

import { sessions } from "./api.js";
import { element } from "./elements.js";

const DAY = 86_400_000;

export class Sessions {
  constructor(list, search, { gone, say }) {
    this.list = list;
    this.search = search;
    this.gone = gone;
    this.say = say;
    this.current = "";
    let waiting;
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.refresh(), 150);
    });
  }

  // Read it anew; `current` is the session that is open.
  async refresh(current = this.current) {
    this.current = current;
    const words = this.search.value.trim();
    try {
      const found = (await sessions.list(words)).sessions;
      if (words !== this.search.value.trim()) return; // another search is on its way
      this.show(found, words);
    } catch (problem) {
      this.say(problem.message);
    }
  }

  show(found, words) {
    const rows = [];
    let before = "";
    for (const each of found) {
      const when = words ? "" : day(each.updated_at);
      if (when !== before) rows.push(element("li", "day", when));
      before = when;
      rows.push(this.row(each));
    }
    if (!found.length) rows.push(element("li", "none", words ? "nothing is found" : "nothing was said yet"));
    this.list.replaceChildren(...rows);
  }

  row(session) {
    const row = element("li", "session");
    row.classList.toggle("current", session.id === this.current);
    const link = row.appendChild(element("a", "", session.title || "untitled"));
    link.href = `#${session.id}`;
    if (session.id === this.current) link.setAttribute("aria-current", "page");
    if (session.snippet) link.append(element("small", "", session.snippet));
    if (["paused", "cut"].includes(session.state)) link.append(element("span", "mark", "paused"));
    if (session.state === "streaming") link.append(element("span", "mark now", "streaming"));
    const rename = row.appendChild(element("button", "", "✎"));
    rename.type = "button";
    rename.setAttribute("aria-label", `Rename ${session.title}`);
    rename.addEventListener("click", () => this.rename(row, session));
    const remove = row.appendChild(element("button", "", "×"));
    remove.type = "button";
    remove.setAttribute("aria-label", `Delete ${session.title}`);
    remove.addEventListener("click", () => this.remove(row, remove, session));
    return row;
  }

  // Go to the session that is so many further down.
  step(by) {
    const links = [...this.list.querySelectorAll(".session a")];
    const at = links.findIndex((each) => each.hasAttribute("aria-current"));
    const next = links[at < 0 ? 0 : at + by];
    next?.click();
    return Boolean(next);
  }

  rename(row, session) {
    const field = element("input");
    field.value = session.title;
    field.setAttribute("aria-label", "Title");
    row.replaceChildren(field);
    field.focus();
    field.select();
    const done = async (keep) => {
      field.onblur = null;
      const title = field.value.trim();
      try {
        if (keep && title && title !== session.title) await sessions.rename(session.id, title);
      } catch (problem) {
        this.say(problem.message);
      }
      this.refresh();
    };
    field.onblur = () => done(true);
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") done(true);
      if (event.key === "Escape") done(false);
    });
  }

  // A second press deletes: there is no way back.
  async remove(row, button, session) {
    if (!row.classList.contains("sure")) {
      row.classList.add("sure");
      button.textContent = "delete?";
      setTimeout(() => {
        row.classList.remove("sure");
        button.textContent = "×";
      }, 4000);
      return;
    }
    try {
      await sessions.remove(session.id);
      this.gone(session.id);
    } catch (problem) {
      this.say(problem.message);
    }
    this.refresh();
  }
}

function day(moment) {
  const today = new Date().setHours(0, 0, 0, 0);
  const then = new Date(moment).setHours(0, 0, 0, 0);
  if (then >= today) return "Today";
  if (then >= today - DAY) return "Yesterday";
  if (then >= today - 7 * DAY) return "Last week";
  return new Date(moment).toLocaleDateString("en", { month: "long", year: "numeric" });
}
