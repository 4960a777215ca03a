// Elements made by hand: text is only ever text.

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

export function button(words, title, act) {
  const made = element("button", "", words);
  made.type = "button";
  if (title) made.title = title;
  if (title && !/\p{L}/u.test(words)) made.setAttribute("aria-label", title);
  if (act) made.addEventListener("click", act);
  return made;
}
