// The line that is typed into: it grows with its text.

import { settings } from "./settings.js";

export class Line {
  constructor(field, { submit, changed, paste }) {
    Object.assign(this, { field, changed });
    field.addEventListener("input", () => this.grow());
    field.addEventListener("paste", (event) => paste([...event.clipboardData.files]));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      const sends = settings.enterSends ? !event.shiftKey && !event.altKey : event.ctrlKey || event.metaKey;
      if (!sends) return;
      event.preventDefault();
      submit();
    });
  }

  get text() {
    return this.field.value.trim();
  }

  get empty() {
    return !this.field.value;
  }

  // Take what was typed.
  take() {
    const text = this.text;
    this.field.value = "";
    this.grow();
    return text;
  }

  // Nothing that was typed is lost: what came to nothing is there again, before what was typed since.
  giveBack(text) {
    this.field.value = [text, this.field.value].filter(Boolean).join("\n");
    this.grow();
  }

  focus() {
    this.field.focus({ preventScroll: true });
  }

  grow() {
    this.field.style.setProperty("height", "auto");
    this.field.style.setProperty("height", `${Math.min(this.field.scrollHeight, innerHeight * 0.4)}px`);
    this.changed();
  }
}
