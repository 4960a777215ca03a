// What is copied. Over plain HTTP from another machine a page has no clipboard, but what is selected can be copied.

export async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "aside";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

// Copy once the button is pressed, and say so on it for a moment.
export function copies(button, text) {
  const words = button.textContent;
  button.addEventListener("click", async () => {
    await copy(text());
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = words), 1500);
  });
}
