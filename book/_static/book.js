// Names for what the theme leaves without one, so that screen readers can say what it is.
document.addEventListener("DOMContentLoaded", () => {
  for (const summary of document.querySelectorAll("nav summary:not([aria-label])")) {
    const page = summary.closest("li")?.querySelector("a");
    summary.setAttribute("aria-label", `Pages below ${page ? page.textContent.trim() : "this"}`);
  }
  // What scrolls has to be reached by the keyboard, too.
  for (const table of document.querySelectorAll("table.measured")) {
    table.tabIndex = 0;
  }
  for (const list of document.querySelectorAll(".citation-list[role=list]")) {
    list.removeAttribute("role");
  }
});

// The theme lets the keyboard reach what scrolls, but looks before all is laid out: let it look again.
window.addEventListener("load", () => window.dispatchEvent(new Event("resize")));
