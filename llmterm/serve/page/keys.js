// The keys, wherever in the page they are pressed. `acts` says what each does now; one that has nothing to do is typed.

const FIELDS = "input, textarea, select, [contenteditable]";

export function keys(line, acts) {
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.isComposing) return;
    if (event.target.matches(FIELDS) && event.target !== line.field) return;
    const act = acts[named(event)];
    if (act?.(event)) event.preventDefault();
    else if (event.target !== line.field && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (event.key !== " " || !event.target.closest("button, summary, a")) line.focus();
    }
  });
}

// By where a letter is, as Alt makes other characters of them on some keyboards.
function named(event) {
  if (event.altKey) return `Alt-${event.code.replace("Key", "")}`;
  if (event.ctrlKey || event.metaKey) return `Ctrl-${event.key.toUpperCase()}`;
  return event.key;
}
