// SPDX-License-Identifier: MIT
// One bundle, so that all of them share one Buffer.
export { default as buffer } from 'buffer/';
export { default as events } from 'events/';
export { default as path } from 'path-browserify';
export { default as string_decoder } from 'string_decoder/';
