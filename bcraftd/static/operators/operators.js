/* Names for what unfold and Django leave nameless to who hears the page (WCAG 2.1, 4.1.2). */
(() => {
  "use strict";
  const name = () => {
    for (const field of document.querySelectorAll(".select2-search__field:not([aria-label])")) {
      const box = field.closest(".select2-container");
      const select = box && box.previousElementSibling;
      const label = select && select.id && document.querySelector(`label[for="${select.id}"]`);
      field.setAttribute("aria-label", label ? label.textContent.trim() : "Search");
    }
    for (const icon of document.querySelectorAll("span.help-tooltip[aria-label]:not([role])")) {
      icon.setAttribute("role", "img");
    }
    for (const field of document.querySelectorAll(".inline-group td input:not([type=hidden]), [data-inline-formset] td input:not([type=hidden])")) {
      const cell = field.closest("td");
      if (!field.labels.length && !field.hasAttribute("aria-label") && cell) {
        const heading = cell.closest("table").querySelectorAll("thead th")[cell.cellIndex];
        const text = cell.dataset.label || (heading && heading.textContent.trim());
        field.setAttribute("aria-label", text || field.name);
      }
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    name();
    // select2 and new rows of a form come later.
    new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  });
})();
