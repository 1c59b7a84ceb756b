// SPDX-License-Identifier: MIT
// ECMA-262, section 21.3.2.27, Math.random. V8's own takes its seed once for a process, so workers forked
// from one zygote would all repeat the same numbers. This one reads a batch that C fills;
// after a fork the batch is emptied and the generator seeded anew.
'use strict';
{
    const batch = native.randomBatch; // slot 0: how many of the slots from 1 on are left
    const refill = native.randomRefill;
    const { random } = {
        random() {
            let left = batch[0];
            if (left === 0) {
                refill();
                left = batch[0];
            }
            batch[0] = left - 1;
            return batch[left];
        },
    };
    Object.defineProperty(Math, 'random',
        { value: random, writable: true, configurable: true, enumerable: false });
}
