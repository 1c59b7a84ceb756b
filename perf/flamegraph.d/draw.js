// SPDX-License-Identifier: MIT
// Draws the flame graph that page.html carries, with d3-flame-graph.
import flamegraph from 'd3-flame-graph';
import { select } from 'd3-selection';

const COLOURS = {
  js: '#8fd14f',
  v8: '#5fc4c0',
  kernel: '#f2a154',
  native: '#e8837e',
  other: '#c9c9c9',
};

const root = JSON.parse(document.getElementById('data').textContent);
const line = document.getElementById('line');
const percent = (value) => `${((100 * value) / root.value).toFixed(1)} %`;
const describe = ({ data }) => `${data.name} · ${data.value} samples · ${percent(data.value)}`;

const chart = flamegraph()
  .width(document.getElementById('chart').clientWidth)
  .cellHeight(18)
  .minFrameSize(1)
  .transitionDuration(0)
  .inverted(true)
  .setColorMapper((node) => (node.highlight ? '#c65bff' : COLOURS[node.data.kind]))
  .setLabelHandler(describe)
  .onHover((node) => {
    line.textContent = describe(node);
  });

select('#chart').datum(root).call(chart);
document.getElementById('search').addEventListener('input', (event) => {
  if (event.target.value === '') chart.clear();
  else chart.search(event.target.value);
});
document.getElementById('reset').addEventListener('click', () => chart.resetZoom());
