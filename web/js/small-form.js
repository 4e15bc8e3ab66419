/**
 * A form of a few text fields and one button, with the server's complaints beside the fields.
 */

import { button, h, uid } from "/web/js/dom.js";

/**
 * `fields` as `[[name, label, type]]`, `values` by name; `send(values)` does it. A refusal stands at the field that it names. `empties` clears the fields after it.
 */
export function smallForm(fields, values, { word, iconName, send, empties = false }) {
  const rest = h("p", { class: "field-error", role: "alert" });
  const made = fields.map(([name, label, type]) => {
    const id = uid("small");
    const control = h("input", { id, name, type, autocomplete: "off", value: values[name] ?? "" });
    return { name, control, root: h("div", { class: "field" }, h("label", { for: id }, label), control, h("p", { class: "field-error", role: "alert", hidden: true })) };
  });
  const submit = button(word, { type: "submit", iconName, kind: "small" });
  return h("form", { class: "domain-form", novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    rest.textContent = "";
    for (const { root } of made) root.lastChild.hidden = true;
    submit.disabled = true;
    submit.focus();
    try {
      await send(Object.fromEntries(made.map(({ name, control }) => [name, control.value])));
      if (empties) event.target.reset();
    } catch (error) {
      const known = made.filter(({ name }) => error.fields?.[name]);
      for (const { name, root } of known) {
        root.lastChild.textContent = error.fields[name];
        root.lastChild.hidden = false;
      }
      if (known.length === 0) rest.textContent = error.message;
    } finally {
      submit.disabled = false;
    }
  } }, made.map(({ root }) => root), submit, rest);
}
