// SPDX-License-Identifier: MIT
export * from 'web-streams-polyfill';
