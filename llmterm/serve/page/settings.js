// What this browser has chosen; nothing of it leaves the browser but the name.

const KEY = "llmterm";
const USUAL = { theme: "auto", streams: true, enterSends: true, name: "", model: "" };

class Settings {
  constructor() {
    let kept = {};
    try {
      kept = JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      kept = {};
    }
    this.values = { ...USUAL, ...kept };
  }

  begin() {
    document.documentElement.dataset.theme = this.values.theme;
  }

  // Have them changed; `changed` is called once they are.
  show(dialog, changed) {
    const field = (id) => dialog.querySelector(`#${id}`);
    field("theme").value = this.values.theme;
    field("streams").checked = this.values.streams;
    field("enter-sends").checked = this.values.enterSends;
    field("name").value = this.values.name;
    dialog.onclose = () => {
      this.values.theme = field("theme").value;
      this.values.streams = field("streams").checked;
      this.values.enterSends = field("enter-sends").checked;
      this.values.name = field("name").value.trim();
      this.keep();
      this.begin();
      changed();
    };
    dialog.showModal();
  }

  keep() {
    localStorage.setItem(KEY, JSON.stringify(this.values));
  }

  get streams() {
    return this.values.streams;
  }

  get enterSends() {
    return this.values.enterSends;
  }

  get name() {
    return this.values.name;
  }

  get model() {
    return this.values.model;
  }

  set model(model) {
    this.values.model = model;
    this.keep();
  }
}

export const settings = new Settings();
