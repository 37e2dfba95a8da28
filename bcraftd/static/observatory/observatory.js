/* Keeps the overview up to date: exchanges the texts that are marked as live, and gives the charts their newest points.
   What somebody has focused, selected or scrolled stays, since nothing else of the page is touched. */
(() => {
  "use strict";
  const EVERY = 5000;
  const FEWEST = 10;
  const COLOURS = ["#7c3aed", "#0891b2", "#d97706", "#16a34a", "#dc2626", "#64748b", "#ec4899", "#84cc16"];
  const root = document.getElementById("observatory");
  const drawn = new Map();

  const colour = (index) => COLOURS[index % COLOURS.length];
  const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);

  const lines = (found, name) =>
    Object.entries(found[name]).map(([family, data], index) => ({
      label: family, data, borderColor: colour(index), backgroundColor: colour(index),
      borderWidth: 2, pointRadius: 1.5, pointHoverRadius: 3, tension: 0.2, spanGaps: true,
    }));

  const options = (name, unit) => ({
    animation: false, maintainAspectRatio: false, responsive: true,
    interaction: { mode: "index", intersect: false },
    plugins: {
      legend: { display: false },
      tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${item.formattedValue}${unit}` } },
    },
    scales: {
      x: { grid: { display: false }, ticks: { maxTicksLimit: 7, maxRotation: 0 } },
      y: { min: 0, max: name === "hit_rate" ? 100 : undefined, ticks: { maxTicksLimit: 5, callback: (value) => `${value}${unit}` } },
    },
  });

  const theme = () => {
    const dark = document.documentElement.classList.contains("dark");
    for (const chart of drawn.values()) {
      for (const axis of ["x", "y"]) {
        chart.options.scales[axis].ticks.color = dark ? "#d1d5db" : "#4b5563";
        chart.options.scales[axis].grid.color = dark ? "#374151" : "#e5e7eb";
      }
      chart.update("none");
    }
  };

  const draw = (found) => {
    if (!found.times) return;
    for (const canvas of root.querySelectorAll("canvas[data-chart]")) {
      const name = canvas.dataset.chart;
      let chart = drawn.get(name);
      if (!chart) {
        chart = new Chart(canvas, { type: "line", data: {}, options: options(name, canvas.dataset.unit) });
        drawn.set(name, chart);
      }
      chart.data.labels = found.times.map(clock);
      lines(found, name).forEach((line, index) => {
        chart.data.datasets[index] = Object.assign(chart.data.datasets[index] || {}, line);
      });
      chart.update("none");
    }
    root.querySelectorAll(".obs-legend li").forEach((item, index) => {
      item.querySelector("i").style.background = colour(index);
    });
  };

  // Minutes before anything was read are left out, but for a few.
  const points = (from) => {
    const found = JSON.parse(from.querySelector("#obs-charts").textContent);
    if (!found.times) return found;
    const read = (minute) => Object.values(found.reads).some((line) => line[minute] > 0);
    const first = found.times.findIndex((_, minute) => read(minute));
    const start = Math.max(0, Math.min(first < 0 ? Infinity : first - 1, found.times.length - FEWEST));
    for (const name in found) {
      if (name === "times") found.times = found.times.slice(start);
      else for (const family in found[name]) found[name][family] = found[name][family].slice(start);
    }
    return found;
  };

  const exchange = (page) => {
    for (const part of root.querySelectorAll("[data-live]")) {
      const newer = page.getElementById(part.id);
      if (newer && newer.innerHTML !== part.innerHTML) part.innerHTML = newer.innerHTML;
    }
  };

  const refresh = async () => {
    if (document.visibilityState !== "visible") return;
    let answer;
    try {
      answer = await fetch(root.dataset.figures, { credentials: "same-origin", redirect: "error" });
    } catch {
      answer = null;
    }
    root.classList.toggle("obs-old", !answer || !answer.ok);
    if (!answer || !answer.ok) {
      document.getElementById("obs-state").innerHTML =
        '<span class="obs-chip obs-bad">This page could not be brought up to date; it tries again</span>';
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = points(page);
    // Redis came or went since this page was made: there are panels that it has not.
    if (Boolean(found.times) !== Boolean(root.querySelector("canvas"))) return location.reload();
    exchange(page);
    draw(found);
  };

  draw(points(document));
  theme();
  new MutationObserver(theme).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  const again = () => refresh().finally(() => setTimeout(again, EVERY));
  setTimeout(again, EVERY);
})();
