// Looks at every letter as its readers see it, one after another, and reports what
// axe finds and how wide it lies.
async function look(letter) {
  const frame = document.createElement("iframe");
  frame.title = letter.name;
  frame.width = letter.width;
  frame.height = 800;
  frame.src = letter.source;
  await new Promise((loaded) => { frame.onload = loaded; document.body.append(frame); });
  const page = frame.contentDocument;
  if (letter.outlook) {
    page.documentElement.dataset.ogsc = page.documentElement.dataset.ogsb = "";
  }
  const axe = page.createElement("script");
  axe.src = "/axe.min.js";
  await new Promise((loaded) => { axe.onload = loaded; page.head.append(axe); });
  const found = await frame.contentWindow.axe.run(page, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    resultTypes: ["violations", "incomplete"],
  });
  const told = (results) => results.map((r) => r.id + ": " + r.nodes.map((n) => n.html + " (" + n.failureSummary + ")").join("; "));
  const result = {
    name: letter.name,
    violations: told(found.violations),
    unsure: told(found.incomplete),
    passes: found.passes.length,
    wide: page.documentElement.scrollWidth,
    dark: frame.contentWindow.matchMedia("(prefers-color-scheme: dark)").matches,
    ground: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
  };
  frame.remove();
  return result;
}

(async () => {
  const results = [];
  try {
    for (const letter of await (await fetch("/letters.json")).json()) {
      results.push(await look(letter));
    }
  } catch (e) {
    results.push({ name: "the page itself", violations: [String(e)] });
  }
  await fetch("/results", { method: "POST", body: JSON.stringify(results) });
})();
