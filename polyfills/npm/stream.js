// SPDX-License-Identifier: MIT
// node:stream without what else it needs: events, Buffer and process are the engine's (bundle.mjs).
export { default as stream } from 'readable-stream/lib/stream.js';
