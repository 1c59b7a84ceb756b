// SPDX-License-Identifier: MIT
// globalThis.process as in Node.js, as far as bundles ask of it when they don't run there: env (from the
// config's `env:`, the values that are no maps or lists, as strings), nextTick, hrtime, events that never come.
// No versions.node: by that libraries tell Node.js. And reportError (HTML, section 8.1.4.3).
'use strict';
{
    const environment = { NODE_ENV: 'production' };
    native.fillEnvironment = (env) => {
        for (const [name, value] of Object.entries(env))
            if (value === null || typeof value !== 'object')
                environment[name] = String(value ?? '');
    };

    const ms = () => native.clockNow();
    const hrtime = (since) => {
        const seconds = ms() / 1000;
        let [s, ns] = [Math.trunc(seconds), Math.trunc(seconds % 1 * 1e9)];
        if (since !== undefined) {
            s -= since[0];
            ns -= since[1];
            if (ns < 0) {
                s -= 1;
                ns += 1e9;
            }
        }
        return [s, ns];
    };
    hrtime.bigint = () => BigInt(Math.trunc(ms() * 1e6));

    const { queueMicrotask } = native.own;
    const process = {
        title: 'ssrd', platform: 'linux', version: '', versions: {}, release: {}, argv: [], execArgv: [], pid: 0,
        browser: false, env: environment, exitCode: undefined,
        cwd: () => '/',
        nextTick(callback, ...values) {
            if (typeof callback !== 'function')
                throw new TypeError('The callback of process.nextTick must be a function');
            queueMicrotask(() => callback(...values));
        },
        hrtime,
        uptime: () => ms() / 1000,
        memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }), // a stub
        emitWarning: (warning) => console.warn(String(warning)),
        exit() { throw new Error('process.exit is not available here'); },
    };
    // Stubs: nothing is ever emitted.
    for (const name of ['on', 'once', 'off', 'addListener', 'removeListener', 'removeAllListeners', 'prependListener'])
        process[name] = () => process;
    process.emit = () => false;
    process.listeners = () => [];
    process.listenerCount = () => 0;
    native.define('process', process);
    native.provide('node:process', () => process);

    const { reportError } = {
        reportError(error) {
            native.idl.need(1, arguments.length, 'reportError');
            native.report(error);
        },
    };
    native.define('reportError', reportError);
}
