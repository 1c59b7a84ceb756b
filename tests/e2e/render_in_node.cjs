// SPDX-License-Identifier: MIT
// Renders with a bundle under Node.js, in a context that has next to nothing: what ssrd must equal.
// usage: node render_in_node.cjs BUNDLE < [[url, data], …] > {"version": …, "pages": [{status, base64}, …]}
const fs = require('node:fs');
const vm = require('node:vm');

const context = vm.createContext({
  console, queueMicrotask, setTimeout, clearTimeout, MessageChannel, TextEncoder, TextDecoder, URL,
});
const source = fs.readFileSync(process.argv[2], 'utf8');
new vm.Script(source, { filename: 'server.js' }).runInContext(context);

(async () => {
  const pages = [];
  for (const [url, data] of JSON.parse(fs.readFileSync(0, 'utf8'))) {
    // data as ssrd makes it: parsed inside the context, so that it has that context's prototypes
    context.dataText = JSON.stringify(data);
    const page = await vm.runInContext('renderPage', context)(url, vm.runInContext('JSON.parse(dataText)', context), {});
    const { status, body } = typeof page === 'string' ? { status: 200, body: page } : page;
    pages.push({ status, base64: Buffer.from(body, 'utf8').toString('base64') });
  }
  process.stdout.write(JSON.stringify({ version: process.version, pages }));
})();
