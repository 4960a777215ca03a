// Markdown that grows in place. What a model says is untrusted: only these elements are ever made, text is only ever
// text, and only these kinds of addresses are links.

import { copies } from "./clipboard.js";
import * as smd from "./vendor/smd.min.js";

const ELEMENTS = {
  [smd.BLOCKQUOTE]: "blockquote",
  [smd.PARAGRAPH]: "p",
  [smd.LINE_BREAK]: "br",
  [smd.RULE]: "hr",
  [smd.HEADING_1]: "h2",
  [smd.HEADING_2]: "h3",
  [smd.HEADING_3]: "h4",
  [smd.HEADING_4]: "h5",
  [smd.HEADING_5]: "h6",
  [smd.HEADING_6]: "h6",
  [smd.ITALIC_AST]: "em",
  [smd.ITALIC_UND]: "em",
  [smd.STRONG_AST]: "strong",
  [smd.STRONG_UND]: "strong",
  [smd.STRIKE]: "s",
  [smd.CODE_INLINE]: "code",
  [smd.LINK]: "a",
  [smd.RAW_URL]: "a",
  [smd.IMAGE]: "a", // nothing is fetched from elsewhere by being looked at
  [smd.LIST_UNORDERED]: "ul",
  [smd.LIST_ORDERED]: "ol",
  [smd.LIST_ITEM]: "li",
  [smd.TABLE]: "table",
  [smd.EQUATION_BLOCK]: "code",
  [smd.EQUATION_INLINE]: "code",
};
// What has only parts of itself in it, and no text.
const HOLDERS = ["TABLE", "THEAD", "TBODY", "TR", "UL", "OL"];
const SCHEMES = ["http:", "https:", "mailto:"];

export class Markdown {
  constructor(root) {
    this.root = root;
    this.clear();
  }

  clear() {
    this.root.replaceChildren();
    this.nodes = [this.root];
    this.parser = smd.parser({ data: { nodes: this.nodes }, add_token, end_token, add_text, set_attr });
  }

  write(text) {
    smd.parser_write(this.parser, text);
  }

  // Mark that what comes was written by another, or later.
  seam(words) {
    let place = this.nodes.at(-1);
    while (HOLDERS.includes(place.tagName) && place.lastElementChild) place = place.lastElementChild;
    const mark = place.appendChild(document.createElement("span"));
    mark.className = "seam";
    mark.title = words;
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", words);
  }

  // There is no more of it: what was withheld is shown.
  end() {
    smd.parser_end(this.parser);
  }
}

function add_token(data, type) {
  const parent = data.nodes.at(-1);
  data.nodes.push(type === smd.DOCUMENT ? parent : made(parent, type));
}

function made(parent, type) {
  switch (type) {
    case smd.CODE_BLOCK:
    case smd.CODE_FENCE:
      return code(parent);
    case smd.CHECKBOX: {
      const box = parent.appendChild(document.createElement("input"));
      box.type = "checkbox";
      box.disabled = true;
      return box;
    }
    case smd.TABLE_ROW: {
      const part = parent.tHead ? (parent.tBodies[0] ?? parent.createTBody()) : parent.createTHead();
      return part.appendChild(document.createElement("tr"));
    }
    case smd.TABLE_CELL: {
      const head = parent.parentElement?.tagName === "THEAD";
      return parent.appendChild(document.createElement(head ? "th" : "td"));
    }
    case smd.TABLE: {
      const frame = parent.appendChild(document.createElement("div"));
      frame.className = "table";
      frame.tabIndex = 0;
      return frame.appendChild(document.createElement("table"));
    }
    default:
      return parent.appendChild(document.createElement(ELEMENTS[type] ?? "span"));
  }
}

// A panel of code: its language, and a button that copies it.
function code(parent) {
  const panel = parent.appendChild(document.createElement("figure"));
  panel.className = "code";
  const head = panel.appendChild(document.createElement("figcaption"));
  head.appendChild(document.createElement("span"));
  const copy = head.appendChild(document.createElement("button"));
  copy.type = "button";
  copy.textContent = "Copy";
  const pre = panel.appendChild(document.createElement("pre"));
  pre.tabIndex = 0;
  const text = pre.appendChild(document.createElement("code"));
  copies(copy, () => text.textContent);
  return text;
}

function end_token(data) {
  data.nodes.pop();
}

function add_text(data, text) {
  data.nodes.at(-1).appendChild(document.createTextNode(text));
}

function set_attr(data, type, value) {
  const node = data.nodes.at(-1);
  switch (type) {
    case smd.HREF:
    case smd.SRC: {
      const address = safe(value);
      if (!address || node.tagName !== "A") return;
      node.href = address;
      node.rel = "noopener noreferrer nofollow";
      node.target = "_blank";
      if (type === smd.SRC && !node.textContent) node.title = address;
      return;
    }
    case smd.LANG:
      node.closest(".code")?.querySelector("figcaption span").append(value.slice(0, 40));
      return;
    case smd.CHECKED:
      node.checked = true;
      return;
    case smd.START:
      if (/^\d{1,9}$/.test(value)) node.start = Number(value);
  }
}

// The address, where it is one that may be followed; as the browser will read it, not as it is written.
export function safe(value) {
  try {
    const url = new URL(value, "https://invalid.invalid/");
    return SCHEMES.includes(url.protocol) && url.host !== "invalid.invalid" ? url.href : "";
  } catch {
    return "";
  }
}
