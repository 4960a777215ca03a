// Images and PDFs that go with the next message: chosen, dropped or pasted.

import { element } from "./elements.js";

const KINDS = ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"];
const LIMIT = 50 * 1024 * 1024;

export class Attachments {
  constructor(chips, { say }) {
    this.chips = chips;
    this.say = say;
    this.files = [];
  }

  async take(files) {
    for (const file of files) {
      if (!KINDS.includes(file.type)) this.say(`${file.name || "that"} is no PNG, JPEG, GIF, WebP or PDF`);
      else if (file.size > LIMIT) this.say(`${file.name} is too large: 50 MB at most`);
      else this.files.push({ name: file.name || "pasted", data: await base64(file) });
    }
    this.show();
  }

  // Return them: they go with a message now.
  all() {
    const files = this.files;
    this.files = [];
    this.show();
    return files.map(({ name, data }) => ({ name, data }));
  }

  giveBack(files) {
    this.files = [...files, ...this.files];
    this.show();
  }

  show() {
    this.chips.replaceChildren(
      ...this.files.map((file) => {
        const chip = element("li", "chip", file.name);
        const drop = chip.appendChild(element("button", "", "×"));
        drop.type = "button";
        drop.setAttribute("aria-label", `Leave out ${file.name}`);
        drop.addEventListener("click", () => {
          this.files = this.files.filter((each) => each !== file);
          this.show();
        });
        return chip;
      }),
    );
  }
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
