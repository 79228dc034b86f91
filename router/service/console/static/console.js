// What the pages cannot do without a script: the chart, and diffs side by side. Both stand as text or table, too.
"use strict";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let chart = null;

function drawChart() {
  const data = document.querySelector("[data-chart]");
  const figure = document.querySelector("figure.chart");
  if (!data || !figure) return;
  const { at, events, delivered, dead } = JSON.parse(data.dataset.chart);
  const rows = [at, events, delivered, dead];
  if (chart && figure.contains(chart.root)) {
    chart.setData(rows);
    return;
  }
  const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"); // as all times here
  const bars = (size, align) => uPlot.paths.bars({ size: [size, 40], align, radius: 0.15 });
  chart = new uPlot(
    {
      width: figure.clientWidth,
      height: 180,
      padding: [8, 8, 0, 0],
      tzDate: utc,
      legend: { live: false },
      cursor: { y: false, points: { show: false } },
      scales: { x: { range: (_, low, high) => [low - 2400, high + 2400] }, y: { range: (_, __, high) => [0, Math.max(high * 1.1, 4)] } },
      axes: [
        { ...axis, font: "11px system-ui", grid: { show: false }, size: 28, space: 60, values: "{HH}:{mm}" },
        { ...axis, font: "11px system-ui", size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000] },
      ],
      series: [
        { value: "{YYYY}-{MM}-{DD} {HH}:{mm}", label: "hour" },
        { label: "events", fill: colour("--soft"), width: 0, paths: bars(0.72, 0), points: { show: false } },
        { label: "delivered", fill: colour("--accent"), width: 0, paths: bars(0.36, 0), points: { show: false } },
        { label: "dead", stroke: colour("--bad"), fill: colour("--bad"), width: 0, paths: bars(0.18, 0), points: { show: false } },
      ],
    },
    rows,
    figure,
  );
}

function redrawChart() {
  if (!chart) return;
  chart.destroy();
  chart = null;
  drawChart();
}

function drawDiffs(root) {
  for (const box of root.querySelectorAll("[data-diff]")) {
    const { before, after } = box.dataset;
    const text = `--- ${before}\n+++ ${after}\n${box.querySelector("pre").textContent}\n`;
    const html = Diff2Html.html(text, {
      outputFormat: window.innerWidth > 800 ? "side-by-side" : "line-by-line",
      matching: "words",
      drawFileList: false,
      colorScheme: "auto",
    });
    const drawn = new DOMParser().parseFromString(html, "text/html");
    box.replaceChildren(...drawn.body.childNodes);
    box.removeAttribute("data-diff");
  }
}

function showEnds(root) {
  for (const box of root.querySelectorAll(".to-end")) box.scrollLeft = box.scrollWidth;
}

function draw(root) {
  drawChart();
  drawDiffs(root);
  showEnds(root);
}

htmx.onLoad(draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawChart);
addEventListener("resize", redrawChart);
