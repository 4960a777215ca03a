// Who answers: a list that is filtered as one types.

import { models } from "./api.js";
import { element } from "./elements.js";

export class Models {
  constructor(dialog, filter, list, { chosen }) {
    Object.assign(this, { dialog, filter, list, chosen, known: [], at: 0 });
    filter.addEventListener("input", () => this.show());
    filter.addEventListener("keydown", (event) => this.key(event));
    list.addEventListener("click", (event) => {
      const row = event.target.closest("li[data-model]");
      if (row) this.take(row.dataset.model);
    });
  }

  async open() {
    this.filter.value = "";
    this.dialog.showModal();
    this.list.replaceChildren(element("li", "none", "asking the providers …"));
    try {
      this.known = (await models()).data.map((each) => each.id);
      this.show();
    } catch (problem) {
      this.list.replaceChildren(element("li", "none", problem.message));
    }
  }

  show() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.known.filter((id) => words.every((word) => id.toLowerCase().includes(word)));
    // A provider may have models that it does not list.
    if (!found.length && words[0]?.includes("/")) found.push(this.filter.value.trim());
    this.at = 0;
    this.list.replaceChildren(
      ...found.slice(0, 300).map((id, at) => {
        const row = element("li", "", id);
        row.id = `model-${at}`;
        row.dataset.model = id;
        row.setAttribute("role", "option");
        return row;
      }),
    );
    if (!found.length) this.list.append(element("li", "none", "no model is called that"));
    this.mark();
  }

  key(event) {
    const rows = this.list.querySelectorAll("li[data-model]");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.at = Math.max(0, Math.min(rows.length - 1, this.at + (event.key === "ArrowDown" ? 1 : -1)));
      this.mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (rows[this.at]) this.take(rows[this.at].dataset.model);
    }
  }

  mark() {
    this.filter.removeAttribute("aria-activedescendant");
    this.list.querySelectorAll("li[data-model]").forEach((row, at) => {
      row.setAttribute("aria-selected", String(at === this.at));
      if (at !== this.at) return;
      row.scrollIntoView({ block: "nearest" });
      this.filter.setAttribute("aria-activedescendant", row.id);
    });
  }

  take(model) {
    this.dialog.close();
    this.chosen(model);
  }
}
